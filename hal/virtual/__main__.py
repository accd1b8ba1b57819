"""`python -m hal.virtual`: see `bench.main`."""

from hal.virtual.bench.main import main

raise SystemExit(main())
