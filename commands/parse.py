"""Which verb was asked for, and the call of it. Verbs are imported only when used: start-up is short."""

import argparse
import gc
from collections.abc import Sequence


def main(words: Sequence[str]) -> int:
    """Carry out a command line; answers the exit code."""
    parser = argparse.ArgumentParser(prog="run.py", description="Aviary keeps Hummingbot trading systems alive.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("run", help="start the server")
    tree = verbs.add_parser("tree", help="show the running server's supervision tree")
    tree.add_argument("--watch", action="store_true", help="keep showing it, every second")
    demo = verbs.add_parser("demo", help="deploy a bot on the simulated exchange, kill it, watch it heal")
    demo.add_argument("--keep", action="store_true", help="leave the demo's folder behind")
    stop = verbs.add_parser("stop", help="stop the server; bots go on unless --all is given")
    stop.add_argument("--all", action="store_true", help="stop the bots, the broker and the exchange too")
    chosen = parser.parse_args(words)
    match chosen.verb:
        case "run":
            # Nothing that is imported becomes garbage, and looking for it delays the first answer.
            gc.disable()
            from aviary.commands.serve import serve

            return serve()
        case "tree":
            from aviary.commands.tree import show_tree

            return show_tree(watch=chosen.watch)
        case "demo":
            from aviary.commands.demo import demonstrate

            return demonstrate(keep=chosen.keep)
        case _:
            from aviary.commands.stop import stop_server

            return stop_server(everything=chosen.all)
