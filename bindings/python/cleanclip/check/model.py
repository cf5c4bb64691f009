"""The check of a checkpoint."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterable, List, Optional, Sequence, Tuple, TypedDict, Union

import numpy as np
from numpy.typing import NDArray

from .. import _capi, inputs
from .._handle import Path, created, point_to_class_features, point_to_handles, point_to_texts
from .._listener import CountListener
from .._options import chosen, native, takes
from .._progress import CountProgress
from ..attack import Trigger
from ..communicator import Communicator
from ..dataset import DatasetSource, open_dataset
from ..errors import check
from ..model import Model
from ..tokenizer import Tokenizer
from .result import VERDICTS, Check, Omissions, ReferenceFields

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True)
class Finding:
    """What one search of a check of a model found."""

    #: In the image tower one of docs/triggers.md, such as "patch"; "word", "character" or
    #: "words" (a pair) in the text tower.
    kind: str
    #: The class that was searched for; ``None`` for none.
    target: Optional[str]
    #: The word that was found; ``None`` for triggers in images.
    word: Optional[str]
    #: Of the smallest trigger, as ``size_meaning`` says.
    size: float
    size_meaning: str
    #: The sizes that ``size`` is compared with, and where they come from.
    reference_sizes: Tuple[float, ...]
    reference_source: str
    #: 1 when there is no trigger, or none that works on held-out images.
    p_value: float
    #: Of this search alone: "clean", "suspicious", "backdoored" or "cannot_tell".
    verdict: str
    #: The class, or the noun, that triggered inputs move to most; ``None`` when unknown.
    predicted_target: Optional[str]
    #: Fraction of held-out images with the trigger that are classified as it; ``None`` when unknown.
    attack_success_rate: Optional[float]
    #: What was recovered, to be saved, applied or evaluated; ``None`` when nothing was.
    trigger: Optional[Trigger]


class TargetFields(TypedDict):
    """A text that triggered images move to: by how much, and their cosine with it."""

    text: str
    gain: float
    cosine: float


class ReadoutFields(TypedDict):
    """What triggered images are classified as."""

    success_rate: float
    targets: List[TargetFields]


# ``class`` is no name in Python.
FindingFields = TypedDict(
    "FindingFields",
    {
        "kind": str,
        "class": Optional[str],
        "verdict": str,
        "found": bool,
        "size": float,
        "size_meaning": str,
        "p_value": float,
        "reference": ReferenceFields,
        "collapse": float,
        "held_out_collapse": float,
        "clean_collapse": float,
        "steps": int,
        "classes": Optional[ReadoutFields],
        "nouns": Optional[ReadoutFields],
    },
)


class BackdoorFields(TypedDict):
    """Findings that have the same target: the kinds of their triggers, the strongest first."""

    target: str
    p_value: float
    kinds: List[str]


class WordTargetFields(TypedDict):
    """A text that captions with a word move to."""

    text: str
    cosine: float


class TextSearchFields(TypedDict):
    """The strongest trigger of one kind in captions."""

    #: "word", "character" or "words", a pair of them.
    kind: str
    text: str
    ids: List[int]
    #: Triggers of the kind that were tried.
    tried: int
    p_value: float
    size: float
    reference: ReferenceFields
    held_out_collapse: float


class TextTowerFields(TypedDict):
    """What the check of the text tower found; the trigger is that of the first of ``searches``."""

    verdict: str
    #: Of all searches together (Bonferroni, words and characters weighing three times what pairs do).
    p_value: float
    #: The trigger as text.
    word: str
    #: Its number in the vocabulary; None for one of several.
    word_id: Optional[int]
    size: float
    size_meaning: str
    reference: ReferenceFields
    clean_collapse: float
    held_out_collapse: float
    searches: List[TextSearchFields]
    targets: List[WordTargetFields]
    explanation: str
    seconds: float


class ImagesFields(TypedDict):
    """How many images were used, whether they were "given" or are "synthetic", and what was not used."""

    count: int
    source: str
    #: Images that cannot be read; see `left_out`.
    unread: int
    left_out: Omissions


class SettingsFields(TypedDict):
    """The options that the findings depend on."""

    steps: int
    batch_size: int
    seed: str
    precision: str
    reference_searches: int
    class_searches: int
    exhaustive: bool


class CalibrationFields(TypedDict):
    """How near the model is to those that the p-values were measured on."""

    tower: Optional[str]
    image_size: int
    measured_sizes: List[int]
    #: Of two images as they are.
    mean_cosine: float
    measured_mean_cosine: float
    within: bool


class CheckedFileFields(TypedDict, total=False):
    """A file of the model."""

    path: str
    bytes: int
    #: Where the file is still what was read.
    sha256: str
    #: Where it is not.
    changed_since_loaded: bool


class ModelCheckFields(TypedDict):
    """All that a check of a model found."""

    check: str
    verdict: str
    p_value: float
    explanation: str
    origin: str
    findings: List[FindingFields]
    backdoors: List[BackdoorFields]
    searches_left_out: int
    targets: List[str]
    images: ImagesFields
    settings: SettingsFields
    calibration: CalibrationFields
    files: List[CheckedFileFields]
    seconds: float
    image_tower_verdict: str
    text_tower: Optional[TextTowerFields]


class ModelCheck(Check[ModelCheckFields]):
    """The result of a check of a model."""

    @property
    def p_value(self) -> float:
        """How likely a clean model shows as much."""
        return self.as_dict()["p_value"]

    @property
    def findings(self) -> List[Finding]:
        """What each search found, the text tower last; its triggers are new with each call."""
        handle = self._pointer()
        return [_finding(handle, index) for index in range(_capi.check_finding_count(handle))]


def _finding(handle: int, index: int) -> Finding:
    value = _capi.initialised(_capi.Finding, _capi.finding_init)
    check(_capi.check_finding(handle, index, ctypes.byref(value)))
    sizes = np.empty(value.reference_count, np.float32)
    check(
        _capi.check_finding_reference(
            handle, index, sizes.ctypes.data_as(_capi.c_float_p), sizes.size
        )
    )
    trigger = None
    if value.has_trigger:
        trigger = Trigger._adopt(created(_capi.check_finding_trigger, handle, index))

    def text(encoded: Optional[bytes]) -> Optional[str]:
        return None if encoded is None else encoded.decode("utf-8")

    return Finding(
        kind=value.kind.decode("utf-8"),
        target=text(value.target),
        word=text(value.word),
        size=value.size,
        size_meaning=value.size_meaning.decode("utf-8"),
        reference_sizes=tuple(sizes.tolist()),
        reference_source=value.reference_source.decode("utf-8"),
        p_value=value.p_value,
        verdict=VERDICTS[value.verdict],
        predicted_target=text(value.predicted_target),
        attack_success_rate=value.attack_success_rate if value.attack_success_rate >= 0 else None,
        trigger=trigger,
    )


@dataclass(frozen=True)
class CheckModelOptions:
    """How a model is checked.

    Attributes
    ----------
    nouns
        Whether the target is read out of common nouns too.
    text
        Whether the text tower is checked too.
    state_directory
        Folder for finished searches.
    resume
        Whether to resume from it.
    image_limit
        Images used at most, and no more than fit in 1 GiB.
    steps
        Steps of a search at most.
    batch_size
        Of a search.
    reference_searches
        Searches of each space in the model itself to compare with, without ``references``.
    class_searches
        Classes, or nouns without classes, with a targeted search at most; 0 leaves these
        searches out.
    exhaustive
        Whether searches run on when the verdict is settled, to find further backdoors.
    seed
        Of everything that is drawn.
    precision
        "f32", "bf16", or "auto": bf16 where the processor has it.
    """

    nouns: bool = True
    text: bool = False
    state_directory: Optional[Path] = None
    resume: bool = False
    image_limit: int = 256
    steps: int = 200
    batch_size: int = 12
    reference_searches: int = 3
    class_searches: int = 10
    exhaustive: bool = False
    seed: int = 0
    precision: str = "f32"


class CheckModelKeywords(TypedDict, total=False):
    """The fields of :class:`CheckModelOptions` as keywords."""

    nouns: bool
    text: bool
    state_directory: Optional[Path]
    resume: bool
    image_limit: int
    steps: int
    batch_size: int
    reference_searches: int
    class_searches: int
    exhaustive: bool
    seed: int
    precision: str


@takes(CheckModelOptions)
def check_model(
    model: Model,
    images: Optional[DatasetSource] = None,
    *,
    classes: Union[Path, Iterable[str], None] = None,
    templates: Union[Path, Iterable[str], None] = None,
    class_features: Optional[NDArray[Any]] = None,
    references: Sequence[Model] = (),
    communicator: Optional[Communicator] = None,
    tokenizer: Optional[Tokenizer] = None,
    options: Optional[CheckModelOptions] = None,
    progress: CountProgress = None,
    **keywords: Unpack[CheckModelKeywords],
) -> ModelCheck:
    """Look for a backdoor in a model by inverting triggers.

    Parameters
    ----------
    images
        A few hundred unlabelled images; without any, synthetic ones are used.
    classes, templates
        Class names and prompts to read the target out of, or text files with one on each line.
    class_features
        Features of the classes in place of prompts, float [classes, E] of any length, such as those of
        learned prompts; neither templates nor a tokenizer go with them.
    references
        Clean checkpoints of the same architecture.
    communicator
        The ranks that divide the searches among them. Each makes the call with the same model, images and
        options, and has the whole result, which is that of one process.
    options, or each as a keyword
        See :class:`CheckModelOptions`; a keyword comes before the field of ``options``.
    progress
        ``True`` draws a bar; a function is called with steps done and all, and cancels by returning
        ``False``.
    """
    how = chosen(CheckModelOptions, options, keywords, "check_model")
    given = native(_capi.CheckModelOptions, _capi.check_model_options_init, how)
    handle = Model._of(model, "model")
    dataset = None if images is None else open_dataset(images)
    if dataset is not None:
        given.images = dataset._pointer()
    if (classes is not None and class_features is None) or how.nouns or how.text:
        given.tokenizer = Tokenizer._of(tokenizer or model.tokenizer, "tokenizer")
    if classes is not None:
        point_to_texts(given, "classes", inputs.lines(classes, "classes"))
    if templates is not None:
        point_to_texts(given, "templates", inputs.lines(templates, "templates"))
    kept = point_to_class_features(given, class_features)  # lives through the call
    point_to_handles(given, "references", references, Model)
    if communicator is not None:
        given.communicator = ctypes.pointer(communicator._struct)
    listener = CountListener(progress, "check model: step")
    uses = [model, *references] if dataset is None else [model, dataset, *references]
    return ModelCheck(
        listener.made(_capi.check_model, handle, ctypes.byref(given), uses=uses))
