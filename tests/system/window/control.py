"""An ordinary pywebview window: what a lane's window would be without its lock. `python -m … URL`."""

import sys

import webview

if __name__ == "__main__":
    webview.create_window("Control", sys.argv[1], width=600, height=400, x=0, y=0)
    webview.start(gui="gtk")
