"""Which pairs of results are compared, and in what order and on which side a participant sees them (Appendix E).

The paper says that every participant saw 300 pairs, and its counts that every other method was in a quarter of them;
order and sides were random for each. Here the sides are also balanced: who always took A would prefer no method.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math
import random

from z2i_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Pair:
  """One image as our method and as another one filled it.

  Attributes:
    kind: of its mask.
    image: its name.
    opponent: the other method.
  """

  kind: str
  image: str
  opponent: str


@dataclasses.dataclass(frozen=True)
class Showing:
  """One pair as one participant sees it.

  Attributes:
    pair: its place in the study's list of pairs.
    ours_is_a: whether our result is A, the image that is shown first.
  """

  pair: int
  ours_is_a: bool


def choose_pairs(images: Mapping[str, Sequence[str]], opponents: Sequence[str], count: int, seed: int) -> list[Pair]:
  """Chooses the pairs of a study; the same for the same arguments.

  Every kind of masks gets as many, within one, and so does every opponent, in each kind and over all of them. No
  image comes a second time before all of its kind have come: a result that keeps coming back would give away whose
  it is.

  Args:
    images: kind -> names of its images.
    opponents: the other methods.
    count: of pairs; 0: all there are.
    seed: of which images are taken and whom they meet.
  Raises: InputError if there are fewer pairs than asked for.
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
    start = len(chosen)  # Opponents go on where the kind before left them.
    period = math.lcm(len(names), len(opponents))
    # Both lists go round; after `period` steps they would meet as before, so the images move on by one.
    chosen += [
      Pair(kind, names[(step + step // period) % len(names)], opponents[(start + step) % len(opponents)])
      for step in range(share)
    ]
  return chosen


def order_for(pairs: Sequence[Pair], participant: str, seed: int) -> list[Showing]:
  """Returns every pair once, in a participant's own random order; the same for the same arguments.

  Of the pairs with each opponent in each kind, ours is A in half, within one; over all pairs within one, too.
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
