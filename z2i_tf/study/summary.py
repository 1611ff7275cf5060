"""Summarizes a study: counts (Table 11) and preferences (Table 2)."""

import dataclasses

from z2i_tf.analyses.tables import NONE
from z2i_tf.analyses.tables import Table
from z2i_tf.metrics.statistics import wilson_interval
from z2i_tf.study.store import Store

NO_CHOICES = "Nobody has chosen yet."


@dataclasses.dataclass(frozen=True)
class Count:
  """Number of choices that preferred our result, and of those that preferred the other."""

  ours: int = 0
  other: int = 0

  def __add__(self, count: "Count") -> "Count":
    return Count(self.ours + count.ours, self.other + count.other)


@dataclasses.dataclass(frozen=True)
class Preference:
  """The share of choices that preferred ours, and its 95% interval; all in [0, 1]."""

  share: float
  low: float
  high: float


@dataclasses.dataclass(frozen=True)
class Summary:
  """The outcome of a study.

  Attributes:
    ours: method that was compared with the others.
    counts: kind of masks -> opponent -> count, in the study's order.
    participants: number of participants who chose at least once.
    finished: number of participants who answered every pair.
  """

  ours: str
  counts: dict[str, dict[str, Count]]
  participants: int
  finished: int

  @property
  def choices(self) -> int:
    """Number of choices, over all kinds and opponents."""
    return sum(count.ours + count.other for row in self.counts.values() for count in row.values())


def summarize(store: Store) -> Summary:
  """Sums up the choices stored so far. Participants without a choice are not counted."""
  manifest = store.manifest
  counts = {kind: {opponent: Count() for opponent in manifest.opponents} for kind in manifest.kinds}
  for place, prefers_ours in store.outcomes():
    pair = manifest.pairs[place]
    counts[pair.kind][pair.opponent] += Count(ours=int(prefers_ours), other=int(not prefers_ours))
  participants = [progress for progress in store.participants() if progress.answered]
  return Summary(
    manifest.ours, counts, len(participants), sum(progress.answered == progress.total for progress in participants)
  )


def preference(count: Count) -> Preference | None:
  """Returns the share that preferred ours with Wilson's 95% interval; None without choices."""
  total = count.ours + count.other
  if not total:
    return None
  return Preference(count.ours / total, *wilson_interval(count.ours, total))


def tables(summary: Summary) -> list[Table]:
  """Returns the preferences (the layout of the paper's Table 2) and the counts (Table 11)."""
  opponents = list(next(iter(summary.counts.values())))
  columns = ["masks", *(f"{opponent} vs. {summary.ours}" for opponent in opponents), "total"]
  rows = {
    kind: [*by_opponent.values(), sum(by_opponent.values(), Count())] for kind, by_opponent in summary.counts.items()
  }
  empty = () if summary.choices else (NO_CHOICES,)
  people = f"Participants who chose: {summary.participants}; with all pairs: {summary.finished}."
  return [
    Table(
      f"Preference for {summary.ours}",
      columns,
      [(kind, *map(_preference_text, counts)) for kind, counts in rows.items()],
      (
        *empty,
        people,
        "In brackets: Wilson's 95% interval. It takes all choices as independent. Choices of one person, or about one "
        "pair, are not, so the true interval is wider.",
      ),
    ),
    Table(
      "Counts",
      columns,
      [(kind, *(f"{count.other} vs. {count.ours}" for count in counts)) for kind, counts in rows.items()],
      empty,
    ),
  ]


def _preference_text(count: Count) -> str:
  found = preference(count)
  if found is None:
    return NONE
  share, low, high = (f"{100 * value:.2f}" for value in dataclasses.astuple(found))
  return f"{share}% [{low}, {high}]"


def content(summary: Summary) -> dict[str, object]:
  """Returns the outcome for the study's record, without participants' names; without choices, "remark" says so."""
  return {
    "kinds": {
      kind: {opponent: dataclasses.asdict(count) for opponent, count in by_opponent.items()}
      for kind, by_opponent in summary.counts.items()
    },
    "participants": summary.participants,
    "finished": summary.finished,
    "choices": summary.choices,
    **({} if summary.choices else {"remark": NO_CHOICES}),
  }
