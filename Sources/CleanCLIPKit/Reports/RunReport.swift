/// What a run did and measured, to be written as one HTML page or as JSON.
///
/// Everything is optional but the title: an evaluation alone, a sanitizing without evaluation and
/// the demo all make a report; sections without content are left out.
package struct RunReport {
  /// The part that a model plays in the run.
  package enum Role: String, Sendable {
    /// As it came.
    case before
    /// Sanitized.
    case after
    /// Treated otherwise, for comparison: plain fine-tuning.
    case control
  }

  /// A model of the run and what was measured on it.
  package struct Stage: Sendable {
    package var role: Role
    /// For headings: "CleanCLIP".
    package var name: String
    package var evaluation: EvaluationResult?
    /// The losses of the training that led here; empty when there was none.
    package var losses: [LossPoint]

    package init(
      _ role: Role, name: String, evaluation: EvaluationResult? = nil, losses: [LossPoint] = []
    ) {
      self.role = role
      self.name = name
      self.evaluation = evaluation
      self.losses = losses
    }
  }

  /// The losses at a step.
  package struct LossPoint: Equatable, Sendable {
    package var step: Int
    package var losses: StepLosses

    package init(step: Int, losses: StepLosses) {
      self.step = step
      self.losses = losses
    }
  }

  /// An image with and without the trigger.
  package struct Example: Sendable {
    package var caption: String
    package var clean: RGBImage
    package var triggered: RGBImage

    package init(caption: String, clean: RGBImage, triggered: RGBImage) {
      self.caption = caption
      self.clean = clean
      self.triggered = triggered
    }
  }

  /// A table of settings or facts.
  package struct Section: Equatable, Sendable {
    package var title: String
    package var rows: [(name: String, value: String)]

    package init(_ title: String, _ rows: [(name: String, value: String)]) {
      self.title = title
      self.rows = rows
    }

    package static func == (a: Section, b: Section) -> Bool {
      a.title == b.title && a.rows.elementsEqual(b.rows, by: ==)
    }
  }

  package var title: String
  /// A line under the title: which model, when.
  package var subtitle = ""
  package var stages: [Stage] = []
  package var examples: [Example] = []
  /// How a method that looks for a backdoor itself ended, and what it tells of that.
  var verdict: SanitizeVerdict?
  var conclusion: [String] = []
  /// What there is to say of a run without a verdict whose models were not measured.
  var course: Outcome?
  /// The papers of the methods.
  var sources: [String] = []
  /// Triggers that such a method recovered, as a table and on images.
  var recovered: [RecoveredTrigger] = []
  var recoveredExamples: [TriggerExample] = []
  /// Sizes of searches for triggers, of methods that search.
  var searches: [StripPlot.Row] = []
  /// Settings, seeds, versions.
  package var sections: [Section] = []

  package init(title: String) { self.title = title }

  func stage(_ role: Role) -> Stage? { stages.first { $0.role == role } }

  /// Checks the ending of a path, before there is anything to write.
  ///
  /// - Parameter name: what messages call the path.
  /// - Throws: `invalidArgument` for another than .html and .json.
  package static func checkKind(of path: String, _ name: String) throws(CLIPError) {
    guard path.hasSuffix(".html") || path.hasSuffix(".json") else {
      throw CLIPError(
        .invalidArgument,
        "\(name) is of an unknown kind; expected a name that ends in .html or .json, got '\(path)'")
    }
  }

  /// Writes the report as JSON when the path ends in `.json`, as HTML otherwise.
  ///
  /// - Throws: `io`; `internal` when an example cannot be encoded.
  package func write(to path: String) throws(CLIPError) {
    if path.hasSuffix(".json") {
      try AtomicFile.write(json.serialized(pretty: true) + "\n", to: path)
    } else {
      try AtomicFile.write(try html(), to: path)
    }
  }
}
