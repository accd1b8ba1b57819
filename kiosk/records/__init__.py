"""Formats and verifiers of everything that is sealed or signed. A leaf: no file, clock or network here."""
