"""`kassa-hal`: the hardware daemon of a lane."""

import argparse
import sys


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kassa-hal", description="Hardware daemon of a lane: serves its devices over Varlink on a Unix socket."
    )
    parser.add_argument("--config", metavar="HAL.TOML", help="configuration of socket and devices")
    parser.add_argument("--check", action="store_true", help="check the configuration and exit")
    parser.add_argument("--json", action="store_true", help="log JSON lines")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 after an orderly end, 1 when it cannot serve, 2 for bad arguments or configuration."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.config is None:
        parser.print_help()
        return 0 if not (given.check or given.json) else 2
    # After the arguments: help and a mistyped option answer without loading the daemon.
    from hal.config import ConfigError, load

    try:
        config = load(given.config)
    except ConfigError as error:
        print(f"kassa-hal: {error}", file=sys.stderr)
        return 2
    if given.check:
        print(f"{given.config}: {len(config.devices)} devices, all well")
        return 0
    return _serve(config, json=given.json)


def _serve(config: object, *, json: bool) -> int:
    import asyncio

    from hal.api.scrub import guard_stderr
    from hal.api.server import SocketTaken
    from hal.config import HalConfig
    from hal.daemon.log import configure
    from hal.daemon.run import run

    assert isinstance(config, HalConfig)
    guard_stderr()
    configure(json=json)
    try:
        asyncio.run(run(config))
    except SocketTaken as error:
        print(f"kassa-hal: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
