"""`kassa-cloud consume`: takes what lanes gave to a broker, and answers over it."""
