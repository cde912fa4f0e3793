"""The command line of the laboratory: the page of the course's model, built and opened."""

import argparse
import sys
import webbrowser

from ..records import as_path
from ..terminal import print_plainly
from . import open_shipped_laboratory


def main(arguments=None):
    print_plainly()
    parser = argparse.ArgumentParser(
        prog="python -m vit_minimal.laboratory",
        description="Build the class-token laboratory, one page that needs no network, and open it.",
    )
    help_text = "where to write the page (build/laboratory.html)"
    parser.add_argument(
        "path", nargs="?", type=as_path, default="build/laboratory.html", help=help_text
    )
    parser.add_argument("--no-browser", action="store_true", help="write it, and do not open it")
    options = parser.parse_args(arguments)
    try:
        open_shipped_laboratory().save(options.path)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print(f"The laboratory is {options.path.resolve()}: any browser opens it, without a network.")
    if not options.no_browser:
        webbrowser.open(options.path.resolve().as_uri())


if __name__ == "__main__":
    main()
