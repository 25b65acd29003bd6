#!/usr/bin/env python3
"""The program of sleepers.rs on asyncio: many tasks sleep, one thread waits for all of them.

    python3 demos/sleepers.py [--tasks N] [--seconds F] [--quiet]

Its lines are those of `cargo run --bin sleepers`; only the times differ.
"""

import argparse
import asyncio
import time

START = time.monotonic()


def elapsed():
    """Seconds since the start, as both programs print them."""
    return f"{time.monotonic() - START:7.3f}"


async def sleeper(n, args):
    """One task: says that it starts, sleeps, says that it ends."""
    width = len(str(args.tasks))
    if not args.quiet:
        print(f"[{elapsed()}] task {n:{width}} starts")
    await asyncio.sleep(args.seconds)
    if not args.quiet:
        print(f"[{elapsed()}] task {n:{width}} ends")


async def main(args):
    """Starts every task, then waits for all of them."""
    await asyncio.gather(*(sleeper(n, args) for n in range(1, args.tasks + 1)))
    asleep = args.tasks * args.seconds
    print(f"[{elapsed()}] {args.tasks} tasks slept {asleep:.3f} s in all, on one thread")


parser = argparse.ArgumentParser(description="Many tasks sleep on one thread, on asyncio.")
parser.add_argument("--tasks", type=int, default=30, metavar="N")
parser.add_argument("--seconds", type=float, default=1.0, metavar="F")
parser.add_argument("--quiet", action="store_true", help="print the total only")
asyncio.run(main(parser.parse_args()))
