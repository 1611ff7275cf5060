"""Chooses the pairs of a study, and their order and sides for each participant (Appendix E).

In the paper every participant saw 300 pairs, a quarter with each other method, in random order and on random sides.
Here the sides are also balanced: a participant who always chooses A then prefers no method.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math
import random

from z2i_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Pair:
  """One image, filled by our method and by another one.

  Attributes:
    kind: kind of its mask.
    image: name of the image.
    opponent: the other method.
  """

  kind: str
  image: str
  opponent: str


@dataclasses.dataclass(frozen=True)
class Showing:
  """One pair as one participant sees it.

  Attributes:
    pair: index into the study's pairs.
    ours_is_a: whether our result is A, the image that is shown first.
  """

  pair: int
  ours_is_a: bool


def choose_pairs(images: Mapping[str, Sequence[str]], opponents: Sequence[str], count: int, seed: int) -> list[Pair]:
  """Chooses the pairs of a study. The same arguments give the same pairs.

  All kinds of masks get the same number of pairs, within one. So do all opponents, in each kind and over all kinds. An
  image is repeated only after all others of its kind, since a result that returns often would reveal its method.

  Args:
    images: kind -> names of its images.
    opponents: the other methods.
    count: number of pairs; 0 = all there are.
    seed: seed of the choice of images and opponents.
  Raises: InputError if there are fewer than `count` pairs.
  """
  capacities = {kind: len(names) * len(opponents) for kind, names in images.items()}
  shares = dict(capacities)
  if count:
    shares = {kind: count // len(images) + (place < count % len(images)) for place, kind in enumerate(images)}
  for kind, share in shares.items():
    if share > capacities[kind]:
      raise InputError(
        f"`pairs`={count}: {share} of them would be of kind {kind}, which has {capacities[kind]} "
        f"({len(images[kind])} images x {len(opponents)} other methods); ask for at most "
        f"{min(capacities.values()) * len(images)}, or for all with `pairs`=0"
      )
  rng = random.Random(f"pairs {seed}")
  opponents = rng.sample(list(opponents), len(opponents))
  chosen: list[Pair] = []
  for kind, share in shares.items():
    names = rng.sample(list(images[kind]), len(images[kind]))
    start = len(chosen)  # Opponents continue where the kind before ended.
    period = math.lcm(len(names), len(opponents))
    # Both lists repeat. After `period` steps the same pairs would return, so the images shift by one.
    chosen += [
      Pair(kind, names[(step + step // period) % len(names)], opponents[(start + step) % len(opponents)])
      for step in range(share)
    ]
  return chosen


def order_for(pairs: Sequence[Pair], participant: str, seed: int) -> list[Showing]:
  """Orders all pairs at random for one participant. The same arguments give the same order.

  Our result is A in half of the pairs, within one: over all pairs, and with each opponent in each kind.
  """
  rng = random.Random(f"order {seed} {participant}")
  groups: dict[tuple[str, str], list[int]] = {}
  for place, pair in enumerate(pairs):
    groups.setdefault((pair.kind, pair.opponent), []).append(place)
  showings: list[Showing] = []
  odd_one_is_a = rng.random() < 0.5
  for places in groups.values():
    sides = [True] * (len(places) // 2) + [False] * (len(places) // 2)
    if len(places) % 2:
      sides.append(odd_one_is_a)
      odd_one_is_a = not odd_one_is_a
    rng.shuffle(sides)
    showings += map(Showing, places, sides)
  rng.shuffle(showings)
  return showings
