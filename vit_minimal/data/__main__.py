"""The command line of the data: CIFAR-10 ready on this machine, or offered to a room."""

import argparse
import sys

from ..terminal import print_plainly
from .cifar10 import CIFAR10_ARCHIVE, fetch_archive, one_at_a_time, prepare_cifar10
from .dataset import data_root
from .download import serve


def main(arguments=None):
    print_plainly()
    parser = argparse.ArgumentParser(
        prog="python -m vit_minimal.data", description="Have CIFAR-10 ready, here or for a room."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    prepare = commands.add_parser("prepare", help="download, verify, and write cifar10.npz")
    help_text = "the address that `serve` prints on another machine, or of a copy of the archive"
    prepare.add_argument("--from", dest="source", metavar="URL", help=help_text)
    offer = commands.add_parser("serve", help="offer the archive to other machines")
    offer.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    url = getattr(options, "source", None)
    if url and "://" not in url:
        parser.error(f"--from {url} is no address: write http://{url} if that is another machine's")
    try:
        if options.command == "serve":
            with one_at_a_time(data_root()):
                archive = fetch_archive()
            serve(archive, options.port)
            return
        if url and not url.endswith(CIFAR10_ARCHIVE):
            url = f"{url.rstrip('/')}/{CIFAR10_ARCHIVE}"
        print(f"CIFAR-10 is ready: {prepare_cifar10(sources=[url] if url else None)}")
    except (OSError, ValueError, KeyboardInterrupt) as error:
        sys.exit(str(error) or "interrupted")


if __name__ == "__main__":
    main()
