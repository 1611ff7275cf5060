"""The report of hand-made records: what its cells say, and that it is one file that needs nothing else."""

import base64
import html.parser
import os
import re

import pytest

from tests.report import report_records
from z2i_tf.report import pages
from z2i_tf.report import runs as run_files
from z2i_tf.report import sections

_EVIL = '<b onclick="x">&|*`$\\'
_TELEA = {"telea": {"kind": "baseline"}}
_VOID = ("meta", "img", "br", "link", "input", "hr")


class _Page(html.parser.HTMLParser):
  """Checks that elements are closed in turn; keeps tables as rows of [tag, text, attributes], attributes and anchors.

  `folded` has the titles of the tables that are shown on request only.
  """

  def __init__(self, text):
    super().__init__()
    self.open, self.tags, self.attributes, self.tables, self.anchors = [], [], [], {}, []
    self.folded, self._classes = set(), []
    self._table = self._cell = None
    self.feed(text)
    self.close()
    assert not self.open

  def handle_starttag(self, tag, attrs):
    attrs = dict(attrs)
    self.tags.append(tag)
    self.attributes += attrs.items()
    if "id" in attrs:
      self.anchors.append(attrs["id"])
    if tag not in _VOID:
      self.open.append(tag)
      self._classes.append(attrs.get("class"))
    if tag == "table":
      self._table = []
    if tag == "tr":
      self._table.append([])
    if tag in ("td", "th", "caption"):
      self._cell = [tag, "", attrs]

  def handle_data(self, data):
    if self._cell:
      self._cell[1] += data

  def handle_endtag(self, tag):
    assert self.open.pop() == tag
    self._classes.pop()
    if tag == "caption":
      if "folded" in self._classes:
        self.folded.add(self._cell[1])
      self.tables.setdefault(self._cell[1], self._table)
    elif tag in ("td", "th"):
      self._table[-1].append(self._cell)
    if tag in ("td", "th", "caption"):
      self._cell = None


def _section(report, key):
  (section,) = [section for section in report.sections if section.key == key]
  return section


def _rows(table):
  """Returns (group, row's name) -> texts of its cells, without those of the marks."""
  rows, group = {}, None
  for row in table:
    if row and row[0][2].get("class") == "group":
      group = row[0][1]
    elif group:
      rows[group, row[0][1]] = [cell[1] for cell in row[1:-1]]
  return rows


@pytest.fixture(name="report", scope="module")
def _report(tmp_path_factory):
  folder = tmp_path_factory.mktemp("runs")
  report_records.write_all(folder)
  runs, left_out = run_files.gather(str(folder))
  assert not left_out
  return folder, sections.build(runs, left_out)


@pytest.fixture(name="page", scope="module")
def _page(report):
  return _Page(pages.render_html(report[1]))


def test_every_cell_says_what_it_was_measured_on(page):
  count = 0
  for title, table in page.tables.items():
    for row in table:
      for tag, text, attributes in row:
        if tag == "td" and attributes.get("class") != "marks":
          count += 1
          assert re.search("this run|[Pp]aper|property of the model", attributes["title"]), (title, text, attributes)
      if row and row[-1][0] == "td" and any(cell[1] != "-" for cell in row[1:-1]):
        assert re.fullmatch(r"(\[\d+\] ?)+", row[-1][1]), (title, row)
  assert count > 500


def test_marks_and_contents_lead_somewhere(page):
  links = [value[1:] for name, value in page.attributes if name == "href"]
  assert len(links) > 100 and set(links) <= set(page.anchors)
  assert len(set(page.anchors)) == len(page.anchors)


def test_page_needs_nothing_else_and_holds_the_files_bytes(report, page):
  folder, found = report
  assert not {"script", "link", "iframe", "object"} & set(page.tags)
  sources = [value for name, value in page.attributes if name == "src"]
  assert all(value.startswith("data:image/png;base64,") for value in sources)
  assert all(value.startswith(("#",)) for name, value in page.attributes if name == "href")
  text = pages.render_html(found)
  assert "://" not in text and "@import" not in text and not re.search(r"url\(", text)
  decoded = [base64.b64decode(value.partition(",")[2]) for value in sources]
  files = [
    os.path.join(folder, run.folder, picture.name)
    for section in found.sections
    for run in section.runs
    for picture in run.pictures
  ]
  assert decoded == [open(path, "rb").read() for path in files] and len(decoded) == 9


def test_comparison_has_the_runs_and_the_paper_in_the_same_columns(report, page):
  table = page.tables["Comparison, small masks"]
  assert [cell[1] for cell in table[0]] == [
    "Method",
    "PSNR",
    "SSIM",
    "MS-SSIM",
    "L1",
    "LPIPS",
    "FID",
    "ST-LPIPS alex",
    "ST-LPIPS vgg",
    "hole PSNR",
    "hole L1",
    "hole SSIM",
    "source",
  ]
  rows = _rows(table)
  assert [name for group, name in rows if group == "This run: div2k"] == ["compact", "telea"]
  assert ("This run: places2", "telea") in rows
  assert rows["Paper: DIV2K", "This work (paper)"] == [
    "34.08",
    "0.9787",
    "0.9886",
    "0.00329",
    "0.0147",
    "7.14",
    *["-"] * 5,
  ]
  assert rows["Paper: Places2", "HiFill"][4:6] == ["0.0306", "24.71"]
  record = _section(report[1], "comparison").runs[0].record
  assert rows["This run: div2k", "telea"][0] == f"{sum(record['scores']['small']['telea']['PSNR']) / 4:.2f}"
  assert rows["This run: div2k", "telea"][5] == f"{record['set_scores']['small']['telea']['FID']:.2f}"
  titles = {cell[2]["title"] for row in table for cell in row[1:-1] if cell[0] == "td"}
  assert any(
    "compact: model, zoom sr, scale 2, width 64" in title
    and "test set 010010010010" in title
    and "4 images (256x256), small masks, mean hole 10.00%" in title
    and "x86_64" in title
    for title in titles
  )
  # Masks that the paper does not have.
  assert {group for group, _ in _rows(page.tables["Comparison, rect masks"])} == {"This run: places2"}


def _titles(table):
  """Returns (row's name, column) -> titles of such cells."""
  columns, found = [cell[1] for cell in table[0]], {}
  for row in table:
    for column, (tag, _, attributes) in zip(columns, row):
      if tag == "td" and "title" in attributes:
        found.setdefault((row[0][1], column), []).append(attributes["title"])
  return found


def test_cells_name_the_papers_table_and_the_metrics_network(page):
  titles = _titles(page.tables["Comparison, small masks"])
  for metric in ("PSNR", "SSIM", "MS-SSIM", "L1"):
    places2, div2k = titles["HiFill", metric]
    assert "paper, Tables 1 and 8: 200 images" in places2 and "paper, Table 1: 100 center crops" in div2k
    assert all("enlarged" in title and "shrunk" in title and "section 4.1" in title for title in (places2, div2k))
    assert not [title for title in titles["This work (paper)", metric] if "enlarged" in title]
  for metric in ("LPIPS", "FID"):
    assert all("paper, Table 10: " in title for title in titles["HiFill", metric] + titles["This work (paper)", metric])
    assert all("enlarged" in title for title in titles["HiFill", metric])
    for title in titles["compact", metric]:
      assert [name for name, said in report_records.METRICS_WITH_WEIGHTS.items() if said in title] == [metric]
  assert not [title for title in titles["compact", "PSNR"] if "LPIPS" in title or "Inception" in title]
  ablation = page.tables["Ablations (Tables 3 and 6)"]
  sources = {
    tuple(cell[1] for cell in row[:2]): row[2][2]["title"] for row in ablation if row[1:] and row[2][0] == "td"
  }
  assert sources["SR zoom+", "64"].startswith("paper, Tables 3 and 6: ")
  assert sources["No zoom", "70"].startswith("paper, Table 6: ")
  assert sources["Bicubic zoom", "70"].startswith("paper, Table 6: ")


def test_other_tables_have_the_runs_and_the_paper(page):
  ablation = _rows(page.tables["Ablations (Tables 3 and 6)"])
  assert ablation["Paper", "SR zoom+"] == "64 34.08 0.9787 0.9886 0.00329 27.07 0.9094 0.9346 0.01462 4.48M".split()
  ours = ablation["This run: ablation", "No zoom"]
  assert (ours[0], ours[-1]) == ("64", "4.03M")
  frequency = _rows(page.tables["SSIM by frequency range (Table 7, with a row per model)"])
  assert frequency["Paper, Table 7", "SR zoom+"] == ["0.9907", "0.9793", "0.9743", "+0.0049", "+0.0063", "+0.0069"]
  ours = frequency["This run: frequency, small masks", "SR zoom"]
  base = frequency["This run: frequency, small masks", "No zoom"]
  assert base[3:] == ["-"] * 3
  assert [float(text) for text in ours[3:]] == pytest.approx(
    [float(ours[band]) - float(base[band]) for band in range(3)], abs=1.01e-4
  )
  assert all(text[0] in "+-" for text in ours[3:])
  scales = _rows(page.tables["Scale study (Table 12)"])
  assert scales["Paper", "No zoom"][:2] == ["1", "29.91"] and scales["This run: scale_study", "SR zoom"][0] == "2"
  masks = _rows(page.tables["Share of invalid pixels (Table 4)"])
  assert masks["Paper, Table 4", "large"] == ["15.12%", "50.24%"]
  assert masks["This run: masks", "small"] == ["5.61%", "50.00%"]
  times = _rows(page.tables["Complexity (Table 5, with a row per method)"])
  assert [name for group, name in times if group == "This run: times"] == ["compact, float32", "telea", "untimed"]
  assert times["This run: times", "compact, float32"] == ["4.48M", "2.5", "293.0 ms"]
  assert times["This run: times", "untimed"] == ["4.48M", "2.5", "-"]
  assert times["This run: times", "telea"] == ["-", "-", "3.2 ms"]
  assert times["Paper, Table 5", "EdgeConnect"] == ["21.53M", "-", "21 ms"]


def test_settings_are_said_as_what_other_tables_were_measured_on(page):
  (cell,) = {
    cell[2]["title"]
    for row in page.tables["Own table of failures"]
    for cell in row
    if cell[0] == "td" and "title" in cell[2]
  }
  assert cell.startswith("this run (failures); count 10; size 256x256; run 012301230123; z2i_tf ")


def test_study_has_a_column_for_every_opponent(page):
  table = page.tables["Preferences in pairs of results (Tables 2 and 11)"]
  assert [cell[1].replace(" vs. ours", "") for cell in table[0]] == [
    "Masks",
    "HiFill",
    "Pluralistic",
    "DeepFill-v2",
    "EdgeConnect",
    "telea",
    "Total",
    "source",
  ]
  rows = _rows(table)
  assert rows["This run: study", "small: counts"] == ["1 vs. 9", "-", "-", "-", "10 vs. 30", "11 vs. 39"]
  assert rows["This run: study", "small: prefer ours"][-1] == "78.00% [64.76, 87.25]"
  assert rows["Paper, Tables 2 and 11", "large: counts"][3] == "738 vs. 387"
  assert rows["Paper, Tables 2 and 11", "small: prefer ours"][3].startswith("64.21% [")


def test_markdown_says_the_same(report):
  files = report[1].picture_files()
  text = pages.render_markdown(report[1], files, "report_files")
  assert (
    "| Paper: DIV2K | This work (paper) | **34.08** | **0.9787** | **0.9886** | **0.00329** | **0.0147** | **7.14** | "
    "- | - | - | - | - | "
    "\\[9\\] \\[10\\] |\n" in text
  )
  crops = "100 center crops of DIV2K's validation set, 256x256"
  assert f"* \\[9\\] PSNR, SSIM, MS-SSIM, L1: paper, Table 1: {crops}" in text
  assert f"* \\[10\\] LPIPS, FID: paper, Table 10: {crops}" in text
  assert "* Paper, HiFill: inputs were enlarged" in text
  assert "small masks: PSNR" in text  # Two lines of headings become one.
  assert re.findall(r"\]\(report_files/(\S+)\)", text) == list(files) and len(files) == 9
  for line in text.splitlines():
    if line.startswith("| Paper: DIV2K"):
      assert len(re.findall(r"(?<!\\)\|", line)) == 15


def test_missing_analyses_are_said_with_their_command_and_the_papers_numbers(tmp_path):
  report_records.write_scores(tmp_path / "a", "comparison", report_records.scores_record(_TELEA))
  runs, left_out = run_files.gather(str(tmp_path))
  report = sections.build(runs, left_out)
  page = _Page(pages.render_html(report))
  keys = {section.key for section in report.sections}
  assert [value[1:] for name, value in page.attributes if name == "href" and value[1:] in keys] == ["comparison"]
  assert len(report.missing) == 9 and {"Scale study (Table 12)", "Share of invalid pixels (Table 4)"} <= page.folded
  assert not page.folded & {"Comparison, small masks", "Comparison, large masks"}
  for text in (pages.render_html(report), pages.render_markdown(report, {}, "f")):
    for command in (
      "z2i mask-stats",
      "z2i complexity",
      "z2i side-by-side",
      "z2i failures",
      "z2i intermediate",
      "z2i study",
      "--analysis=ablation",
      "--analysis=frequency",
      "--analysis=scale_study",
    ):
      assert command in text
    assert "29.91" in text and "21.53M" in text


def test_tables_without_a_runs_values_are_folded_and_rows_without_values_are_named(tmp_path):
  record = report_records.scores_record(_TELEA, ("small",))
  report_records.write_scores(tmp_path / "a", "comparison", record)
  runs, left_out = run_files.gather(str(tmp_path))
  report = sections.build(runs, left_out)
  text = pages.render_html(report)
  page = _Page(text)
  cited = "Values of other publications, as the paper cites them (Table 8)"
  assert {
    "Comparison, large masks",
    cited,
    "PSNR by size of the hole, small masks",
  } <= page.folded and "Comparison, small masks" not in page.folded
  assert not [name for _, name in _rows(page.tables[cited]) if name == "Pluralistic"]
  assert "no values of Pluralistic" in text and "no values of Pluralistic" in pages.render_markdown(report, {}, "f")


def test_pictures_of_results_come_first(report):
  assert [section.key for section in report[1].measured][:3] == ["side_by_side", "failures", "intermediate"]
  text = pages.render_html(report[1])
  for section in report[1].measured:
    start = text.index(f'<h2 id="{section.key}"')
    if any(run.pictures for run in section.runs):
      assert text.index("<img", start) < text.index("<table", start)


def _bold(table):
  """Returns (row's name, column) of the bold cells."""
  columns = [cell[1] for cell in table[0]]
  return [(row[0][1], column) for row in table for column, cell in zip(columns, row) if cell[2].get("class") == "best"]


def test_the_best_of_each_column_among_rows_of_the_same_images_is_bold(tmp_path):
  record = report_records.scores_record({"a": {"kind": "baseline"}, "b": {"kind": "baseline"}}, ("rect",))
  for metric, values in {"PSNR": (20, 30), "L1": (0.01, 0.02), "SSIM": (0.9, 0.90001)}.items():
    for method, value in zip("ab", values):
      record["scores"]["rect"][method][metric] = [value] * 4
  record["scores"]["rect"]["b"]["MS-SSIM"] = ["nan"] * 4
  report_records.write_scores(tmp_path / "a", "comparison", record)
  runs, left_out = run_files.gather(str(tmp_path))
  page = _Page(pages.render_html(sections.build(runs, left_out)))
  bold = _bold(page.tables["Comparison, rect masks"])
  found = {metric: [name for name, column in bold if column == metric] for metric in ("PSNR", "L1", "SSIM", "MS-SSIM")}
  # Equal texts are both best; the only value of a column is not.
  assert found == {"PSNR": ["b"], "L1": ["a"], "SSIM": ["a", "b"], "MS-SSIM": []}
  paper = [name for name, column in _bold(page.tables["Comparison, large masks"]) if column == "LPIPS"]
  assert paper == ["EdgeConnect", "EdgeConnect"]  # The best of Places2 and of DIV2K.


def test_the_papers_own_model_cannot_be_mistaken_for_a_runs(page):
  for title in ("Comparison, small masks", "Complexity (Table 5, with a row per method)"):
    groups = {name: group for group, name in _rows(page.tables[title])}
    assert groups["This work (paper)"].startswith("Paper") and "Ours" not in groups


def test_names_are_shown_and_not_obeyed(tmp_path):
  record = report_records.scores_record({_EVIL: {"kind": "baseline"}}, (_EVIL.replace("/", ""),))
  record["notes"] = [_EVIL]
  report_records.write_scores(tmp_path / "<i>", "comparison", record, ["<u>.png"])
  runs, left_out = run_files.gather(str(tmp_path))
  report = sections.build(runs, left_out)
  text = pages.render_html(report)
  page = _Page(text)
  assert not {"b", "i", "u"} & set(page.tags) and not [name for name, _ in page.attributes if name.startswith("on")]
  table = page.tables[f"Comparison, {_EVIL} masks"]
  assert ("This run: <i>", _EVIL) in _rows(table)
  markdown = pages.render_markdown(report, report.picture_files(), "f")
  without_json = re.sub("(?s)```+json.*?```+", "", markdown)
  assert not re.search(r"(?<!\\)<(?!/?(details|summary)>)", without_json)
  row = next(line for line in markdown.splitlines() if line.startswith("| This run: \\<i\\>"))
  assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 15


def test_the_same_records_give_the_same_bytes_and_a_changed_one_others(tmp_path):
  def render(folder, seed):
    report_records.write_scores(folder / "a", "comparison", report_records.scores_record(_TELEA, seed=seed))
    runs, left_out = run_files.gather(str(folder))
    return pages.render_html(sections.build(runs, left_out))

  first = render(tmp_path / "1", 1)
  assert render(tmp_path / "2", 1) == first  # Not even the folder is in it.
  assert render(tmp_path / "1", 2) != first


def test_an_opponent_may_be_called_as_a_heading_is(tmp_path):
  counts = {"Total": {"ours": 3, "other": 1}, "none yet": {"ours": 0, "other": 0}}
  report_records.write_study(str(tmp_path), {"small": counts})
  runs, left_out = run_files.gather(str(tmp_path))
  page = _Page(pages.render_html(sections.build(runs, left_out)))
  rows = _rows(page.tables["Preferences in pairs of results (Tables 2 and 11)"])
  assert rows["This run: study.json", "small: counts"] == ["-"] * 4 + ["1 vs. 3", "0 vs. 0", "1 vs. 3"]
  assert rows["This run: study.json", "small: prefer ours"][-2:] == ["-", "75.00% [30.06, 95.44]"]
