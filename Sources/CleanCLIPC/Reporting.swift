public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_report_options_init(
  _ options: UnsafeMutablePointer<cleanclip_report_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: cleanclip_report_options())
}

@c @implementation
public func cleanclip_report_write(
  _ options: UnsafePointer<cleanclip_report_options>?, _ path: UnsafePointer<CChar>?
) -> cleanclip_status {
  guarded("cleanclip_report_write") { (arguments) throws(CLIPError) in
    let given = try arguments.options(
      try arguments.required(options, "options"), defaults: cleanclip_report_options(), "options")
    let path = try arguments.path(path, "path")
    do throws(CLIPError) { try RunReport.checkKind(of: path, "path") } catch {
      throw arguments.invalid(error.message)
    }
    var contents = ReportContents()
    if let title = try arguments.optionalString(given.title, "options->title") {
      contents.title = title
    }
    contents.subtitle = try arguments.optionalString(given.subtitle, "options->subtitle") ?? ""
    contents.version = CLEANCLIP_VERSION_STRING
    contents.model = try borrowed(given.model, as: ModelHandle.self)?.loaded.description()
    contents.before = borrowed(given.before, as: EvaluationHandle.self)?.result
    contents.after = borrowed(given.after, as: EvaluationHandle.self)?.result
    contents.control = borrowed(given.control, as: EvaluationHandle.self)?.result
    contents.history = borrowed(given.history, as: HistoryHandle.self)?.history
    contents.controlHistory = borrowed(given.control_history, as: HistoryHandle.self)?.history
    try contents.report().write(to: path)
  }
}
