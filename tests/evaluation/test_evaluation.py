"""Settings of an evaluation from Python, where no flag has checked them."""

import pytest

from z2i_tf.errors import InputError
from z2i_tf.evaluation import evaluation
from z2i_tf.evaluation.config import EvaluationConfig


@pytest.mark.parametrize(
  "settings, known",
  [
    ({"analysis": "comparisons"}, "comparison, ablation, frequency, scale_study"),
    ({"filling": "photo"}, "networks, photograph"),
    ({"lpips_net": "resnet"}, "none, alex, vgg"),
    ({"filling": "photograph", "detail": "much"}, "auto, patches, none"),
  ],
)
def test_unknown_names_are_refused_before_any_work(tmp_path, settings, known):
  name, value = list(settings.items())[-1]
  config = EvaluationConfig(str(tmp_path / "out"), testset=str(tmp_path), baseline=["telea"], **settings)
  with pytest.raises(InputError, match=f"`{name}`={value}: expected one of {known}$"):
    evaluation.evaluate(config)
