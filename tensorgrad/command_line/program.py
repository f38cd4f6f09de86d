"""The program ``tensorgrad``: its arguments, and what its exit status means.

0 is success; 1 an error, told in one line on standard error; 2 a mistake in the arguments; 130 the end by Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from tensorgrad.checks import told
from tensorgrad.command_line import commands
from tensorgrad.data.reader import FITS

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    options = parser().parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
        return int(status)
    except KeyboardInterrupt:
        print(f"tensorgrad {options.command}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # so that Python's own flush does not raise again
        return 0
    except (OSError, ValueError, TypeError, ImportError, ArithmeticError, MemoryError) as error:
        print(f"tensorgrad {options.command}: error: {told(error)}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """The arguments of all commands."""
    whole = argparse.ArgumentParser(
        prog="tensorgrad", description="Train small convolutional networks on pictures, and use them.",
        epilog="tensorgrad COMMAND --help tells what a command takes, with an example.",
    )  # fmt: skip
    whole.add_argument("--version", action="version", version=commands.version())
    made = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Command, text: str, example: str) -> argparse.ArgumentParser:
        new = made.add_parser(
            name, help=text[0].lower() + text[1:].rstrip("."), description=text, epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        new.set_defaults(run=run)
        return new

    train = command(
        "train", commands.train, "Train a network on pictures, and save it.",
        "tensorgrad train flowers/ -o flowers.tgrad --epochs 20 --report flowers.html",
    )  # fmt: skip
    _add_training(train)
    evaluate = command(
        "evaluate", commands.evaluate, "Tell how good a model is on pictures with labels.",
        "tensorgrad evaluate flowers.tgrad more_flowers/",
    )  # fmt: skip
    evaluate.add_argument("model")
    evaluate.add_argument("data", help="as for train; of data with a test part, that")
    evaluate.add_argument("--json", action="store_true", help="print JSON")

    predict = command(
        "predict", commands.predict, "Name what is on pictures.",
        "tensorgrad predict flowers.tgrad garden.jpg --top 3",
    )  # fmt: skip
    predict.add_argument("model")
    predict.add_argument("images", nargs="+", metavar="IMAGE", help="a picture, or a folder of them")
    predict.add_argument("--top", type=_count, default=1, metavar="N", help="name the N most probable classes")
    predict.add_argument("--json", action="store_true", help="print JSON, with the probability of each class")

    summary = command("summary", commands.summary, "Print the layers of a model.", "tensorgrad summary flowers.tgrad")
    summary.add_argument("model")

    report = command(
        "report", commands.report, "Write a page of pictures: what a model does, and where it is wrong.",
        "tensorgrad report flowers.tgrad flowers/ -o flowers.html",
    )  # fmt: skip
    report.add_argument("model")
    report.add_argument("data", help="as for evaluate")
    report.add_argument("-o", "--output", default="report.html", help="the page (default: %(default)s)")

    export = command(
        "export", commands.export, "Write a model in a form that other programs read.",
        "tensorgrad export flowers.tgrad -o flowers.onnx",
    )  # fmt: skip
    export.add_argument("model")
    export.add_argument("-o", "--output", required=True, help=f"a file that ends in {', '.join(commands.EXPORTS)}")

    serve = command(
        "serve", commands.serve, "Show a page to draw on, to look into the model, and to teach it.",
        "tensorgrad serve flowers.tgrad",
    )  # fmt: skip
    serve.add_argument("model")
    serve.add_argument("--port", type=int, default=0, help="0 for any that is free (default)")
    serve.add_argument("--no-browser", action="store_true", help="print the address only")

    command("info", commands.info, "Print versions, the BLAS library and its kernels, and threads.", "tensorgrad info")
    return whole


def _add_training(train: argparse.ArgumentParser) -> None:
    """What ``tensorgrad train`` takes."""
    train.add_argument(
        "data",
        help="a folder with a subfolder of pictures for each class (or with two such folders, train and test); "
        "a CSV file with the columns path and label; a folder of IDX files or of CIFAR's; a .npz file",
    )
    train.add_argument("-o", "--output", default="model.tgrad", help="the model's file (default: %(default)s)")
    train.add_argument("--epochs", type=_count, default=20, help="passes over the data, in all (default: %(default)s)")
    what = train.add_mutually_exclusive_group()
    what.add_argument("--layers", metavar="DESIGN", help='such as "conv 16, pool, conv 32, pool, dense 64"')
    what.add_argument("--from", dest="base", metavar="MODEL", help="go on from another model, with a new last layer "
                      "if the classes differ")  # fmt: skip
    what.add_argument("--resume", action="store_true", help="go on with the training that the output file is of")
    train.add_argument("--freeze", action="store_true", help="with --from: train the last layer only")
    train.add_argument("--size", type=_size, help="of the pictures: 32, or 48x64 (height x width); default 32")
    train.add_argument("--channels", type=int, choices=(1, 3), help="1 for grey pictures, 3 for colour (default)")
    train.add_argument("--fit", choices=FITS, default="stretch", help="pictures of other proportions (%(default)s)")
    train.add_argument("--cache", metavar="FOLDER", help="keep the decoded pictures there, for this run and the next")
    train.add_argument("--batch-size", type=_count, default=64, help="pictures per step (default: %(default)s)")
    train.add_argument(
        "--lr", type=float, default=0.002, help="the learning rate it begins with (default: %(default)s)"
    )
    train.add_argument("--validation", type=float, default=0.1, metavar="SHARE",
                       help="share of the pictures to validate with (default: %(default)s)")  # fmt: skip
    train.add_argument("--augment", action="store_true", help="shift, turn and zoom the pictures at random")
    train.add_argument("--patience", type=_count, metavar="EPOCHS", help="stop if so many epochs bring no improvement")
    train.add_argument("--seed", type=int, default=0, help="of all that is random (default: %(default)s)")
    train.add_argument("--processes", type=_processes, metavar="N", help="divide each batch among so many processes; "
                       "auto: one for each core, if that is faster")  # fmt: skip
    train.add_argument("--report", metavar="PAGE", help="write a page of pictures about the model, too")
    train.add_argument("-q", "--quiet", action="store_true", help="print the result only")


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, received {text}")
    return int(text)


def _processes(text: str) -> int | str:
    return text if text == "auto" else _count(text)


def _size(text: str) -> tuple[int, int]:
    """``32`` or ``48x64``."""
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"expected a size such as 32 or 48x64, received {text!r}")
    return int(parts[0]), int(parts[-1])
