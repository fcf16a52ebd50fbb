"""Writes or checks the names of the ImageNet classes.

    imagenet_classes.py [--check] crates/sparkles-vision/src/classes/imagenet-1k.txt

One line a class, in order of class index (ascending WordNet id, as in the ILSVRC
2012 competition): the WordNet id, a tab, and the first word of the synset in
WordNet 3.0 (Princeton University). Ids and words are taken from timm's lists
(`timm/data/_info`). Words that two classes share get what tells them apart.

Python 3.11, timm 1.0.31.
"""

import collections
import importlib.util
import pathlib
import sys

# The index of each class is fixed by its id; WordNet tells these pairs apart by their
# definitions only.
QUALIFIED = {
    "n02012849": "crane (bird)",
    "n03126707": "crane (machine)",
    "n03710637": "maillot (tights)",
    "n03710721": "maillot (swimsuit)",
}


def main():
    *flags, path = sys.argv[1:]
    info = pathlib.Path(importlib.util.find_spec("timm").origin).parent / "data/_info"
    ids = (info / "imagenet_synsets.txt").read_text().split()
    words = dict(line.split("\t") for line in (info / "imagenet_synset_to_lemma.txt").read_text().splitlines())
    assert len(ids) == 1000 and ids == sorted(ids)
    names = [QUALIFIED.get(id, words[id].split(", ")[0]) for id in ids]
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    assert not twice, twice
    text = "".join(f"{id}\t{name}\n" for id, name in zip(ids, names))
    if flags == ["--check"]:
        assert pathlib.Path(path).read_text() == text, "the file differs"
    else:
        pathlib.Path(path).write_text(text)


if __name__ == "__main__":
    main()
