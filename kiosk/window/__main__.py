import sys

from kiosk.window.main import main

sys.exit(main())
