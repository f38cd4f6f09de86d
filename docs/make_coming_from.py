"""Write docs/coming-from.md: the words of other libraries, from the one table that the library itself looks into.

python docs/make_coming_from.py
"""

from __future__ import annotations

from pathlib import Path

from tensorgrad.words import WORDS, Word

PAGE = Path(__file__).with_name("coming-from.md")
HEAD = """# Coming from Keras, PyTorch or scikit-learn

*The tables are made from `tensorgrad/words.py` by `python docs/make_coming_from.py`; a test runs each row.*

What is called the same is not in them. A word with "works" may be used as it is: `Dense(10, activation="ReLU")` is
`FFL(neurons=10, activation="relu")`, with Keras's order of arguments. Of the others, an error says what to write.

- Data is channels-last, `(N, height, width, channels)`, as in Keras; PyTorch's images are `x.transpose(0, 2, 3, 1)`.
- The first layer says `input_shape`, without the batch; sizes of the others are found out as they are added.
- A loss comes after the last layer's activation, `"softmax"` for `"cse"` and `"sigmoid"` for `"bce"`, and is computed
  from its logits. Labels may be integers or one-hot rows.
- `fit`, `compile`, `evaluate`, `predict` and `summary` are what they are in Keras; `train` and `compile_model` are the
  tutorial's names for the first two. `fit` returns the history itself: `history["loss"]`.
- With tensors alone it is as in PyTorch: `x.backward()`, `optimizer.zero_grad()`, `optimizer.step()`, `no_grad()`.
- Scikit-learn's estimators, with pipelines and searches, are in `tensorgrad.sklearn`.
"""
TITLES = {
    "layers": "Layers",
    "activation": "Activations, `activation=`",
    "loss": "Losses, `loss=`",
    "opt": "Optimizers, `opt=`",
    "metrics": "Metrics, `metrics=`",
    "kind": "Kinds of pooling, `kind=`",
    "initializer": "Initializers, `initializer=`",
    "model": "Attributes of a model",
    "Tensor": "Attributes of tensors",
    "tensorgrad": "Names in `tensorgrad`",
    "callbacks": "Names in `tensorgrad.callbacks`",
    "optim": "Names in `tensorgrad.optim`",
}
MOST, FIRST = 7, 3  # names in a title; of more than MOST, the first ones


def cells(word: Word) -> str:
    """A line of a table, but for the first cell."""
    ours = "none" if word.ours == "nothing" else f"`{word.ours}`"
    return f"{word.of} | {ours} | {'works' if word.works else ''} | {word.differs} |"


def heading(where: str) -> list[str]:
    """The title of a table, and below it the names of all functions whose arguments it is about, if they are many."""
    if where in TITLES:
        return [f"## {TITLES[where]}"]
    names = [f"`{name}`" for name in where.split(", ")]
    if len(names) <= MOST:
        return [f"## Arguments of {', '.join(names)}"]
    title = f"## Arguments of {', '.join(names[:FIRST])} and {len(names) - FIRST} more"
    return [title, "", f"All that take them: {', '.join(names)}."]


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for where in dict.fromkeys(word.where for word in WORDS):
        lines += [*heading(where), "", "| theirs | of | ours | | what differs |", "| --- | --- | --- | --- | --- |"]
        there = [word for word in WORDS if word.where == where]
        for rest in dict.fromkeys(cells(word) for word in there):
            lines.append(f"| {' '.join(f'`{word.theirs}`' for word in there if cells(word) == rest)} | {rest}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"{PAGE} has been written")
