"""Lets people compare results of several methods in a browser, as in the paper's user study (Appendix E).

With --result_dir, z2i prepares pairs of our results and others' in --study_dir. It serves a page on this machine that
shows them without names, in a random order for each participant, and saves every choice at once. The same command, or
--study_dir alone, continues a study. --summary prints the outcome and writes study.json and tables.md into the study's
folder.
"""

import os

from absl import flags

from z2i_tf.cli.flags import flag_readers
from z2i_tf.cli.flags import seed_and_size_flags
from z2i_tf.errors import InputError

_QUESTION = "Which of these images looks better?"
_MAX_QUESTION_LENGTH = 200


def define_flags(values: flags.FlagValues) -> None:
  flags.DEFINE_string(
    "study_dir", None, "Folder of the study: pairs, pictures, participants and choices.", flag_values=values
  )
  flags.DEFINE_list(
    "result_dir",
    None,
    "Methods' results, as NAME=DIR,NAME2=DIR2: images of the same names and sizes "
    "in every folder, directly or in one sub-folder per kind of masks.",
    flag_values=values,
  )
  flags.DEFINE_string("ours", None, "Method to compare with every other one.", flag_values=values)
  flags.DEFINE_integer(
    "pairs",
    300,
    "Number of pairs that every participant sees; 300 = paper, 0 = all.",
    lower_bound=0,
    flag_values=values,
  )
  flags.DEFINE_string(
    "question", _QUESTION, "Question that participants answer, by default the paper's.", flag_values=values
  )
  flags.DEFINE_list(
    "mask_kinds",
    None,
    "Sub-folders of the results to read; or, if images lie directly in the folders, one name "
    "for their kind (default: all of them).",
    flag_values=values,
  )
  seed_and_size_flags.define_seed_flag(values)
  flags.DEFINE_integer(
    "port",
    8080,
    "Port of the page, on this machine only; 0 = any free one.",
    lower_bound=0,
    upper_bound=65535,
    flag_values=values,
  )
  flags.DEFINE_bool("summary", False, "Print and write the outcome so far instead of serving.", flag_values=values)


def run(values: flags.FlagValues) -> None:
  flag_readers.require(values, "study_dir")
  if values.summary and values["port"].present:
    raise InputError("--summary and --port: a summary serves nothing; leave one of them out")
  from z2i_tf.study import store as stores

  if os.path.isdir(values.study_dir) and stores.exists(values.study_dir):
    store = stores.Store(values.study_dir)
    _check_unchanged(values, store.manifest)
  else:
    if not values.summary:
      _prepare(values)
    store = stores.Store(values.study_dir)
  try:
    if values.summary:
      _summarize(store, values.study_dir)
    else:
      _serve(store, values.study_dir, values.port)
  finally:
    store.close()


def _prepare(values) -> None:
  flag_readers.require(values, "result_dir", "ours")
  _check_question(values.question)
  from z2i_tf.cli.progress import progress
  from z2i_tf.images import image_files
  from z2i_tf.study import manifest as manifests
  from z2i_tf.study import results as result_folders
  from z2i_tf.study import store as stores

  results = result_folders.read_results(flag_readers.named_paths(values, "result_dir"), values.mask_kinds)
  study_manifest = manifests.plan_study(results, values.ours, values.pairs, values.seed, values.question)
  image_files.create_folder(values.study_dir)
  with progress(len(list(study_manifest.results())), "picture") as advance:
    manifests.copy_pictures(results, study_manifest, values.study_dir, advance)
  stores.create(values.study_dir, study_manifest)


def _check_question(question) -> None:
  if not question.strip() or len(question) > _MAX_QUESTION_LENGTH:
    raise InputError(f"--question: give one of 1 to {_MAX_QUESTION_LENGTH} characters")


def _check_unchanged(values, study_manifest) -> None:
  """Raises InputError if a flag contradicts the study in that folder."""
  recorded = {
    "ours": study_manifest.ours,
    "pairs": study_manifest.asked_pairs,
    "question": study_manifest.question,
    "seed": study_manifest.seed,
    "mask_kinds": list(study_manifest.kinds),
  }
  for name, value in recorded.items():
    given = values[name].value
    if values[name].present and (sorted(given) != sorted(value) if name == "mask_kinds" else given != value):
      text = ",".join(value) if name == "mask_kinds" else value
      raise InputError(
        f"--{name}: the study in {values.study_dir} was prepared with --{name}={text}; leave the flag "
        "out, or give another --study_dir"
      )
  if not values.result_dir:
    return
  from z2i_tf.study import manifest as manifests
  from z2i_tf.study import results as result_folders

  folders = flag_readers.named_paths(values, "result_dir")
  methods = (study_manifest.ours, *study_manifest.opponents)
  advice = "leave the flag out, or give another --study_dir"
  if set(folders) != set(methods):
    raise InputError(
      f"--result_dir: the study in {values.study_dir} was prepared with the methods {', '.join(methods)}; {advice}"
    )
  results = result_folders.read_results({method: folders[method] for method in methods}, study_manifest.kinds)
  if study_manifest != manifests.plan_study(
    results, study_manifest.ours, study_manifest.asked_pairs, study_manifest.seed, study_manifest.question
  ):
    raise InputError(f"--result_dir: the study in {values.study_dir} was prepared with other images; {advice}")


def _serve(store, study_dir, port) -> None:
  from z2i_tf.study.server import StudyServer
  from z2i_tf.system.preemption import asked_to_stop

  with StudyServer(study_dir, store, port) as server, asked_to_stop() as stop_request:
    print(
      f"study of {len(store.manifest.pairs)} pairs in {study_dir}: {server.url} (on this machine only; Ctrl-C ends)",
      flush=True,
    )
    server.wait_until(lambda: stop_request.signal is not None)
  print(
    f"ended; saved: {len(store.outcomes())} choices, {len(store.participants())} participants; "
    f"z2i study --study_dir={study_dir} continues the study, and with --summary prints its results"
  )


def _summarize(store, study_dir) -> None:
  from z2i_tf.analyses import records
  from z2i_tf.analyses import tables
  from z2i_tf.study import summary

  found = summary.summarize(store)
  shown = summary.tables(found)
  study_manifest = store.manifest
  manifest = {
    "versions": records.versions(),
    "settings": {
      "question": study_manifest.question,
      "pairs": len(study_manifest.pairs),
      "seed": study_manifest.seed,
      "methods": [study_manifest.ours, *study_manifest.opponents],
      "ours": study_manifest.ours,
      "images": study_manifest.images,
    },
  }
  try:
    path = records.write_record(study_dir, "study", {"manifest": manifest, "pictures": [], **summary.content(found)})
    records.write_tables(study_dir, shown)
  except OSError as error:
    raise InputError(f"{study_dir}: cannot be written ({error.strerror})") from error
  print("\n\n".join(map(tables.to_text, shown)) + "\n")
  for participant in store.participants():
    print(f"{participant.name}: {participant.answered} of {participant.total}")
  print(path)
