internal import ArgumentParser

/// The options that the command line names, whatever their values: one that is given its default is given too.
package enum GivenOptions {
  /// Refuses options that nothing would come of.
  ///
  /// - Parameters:
  ///   - names: with their dashes.
  ///   - reason: why, behind "has no effect".
  /// - Throws: `ValidationError` naming the first that is given.
  package static func refuse(_ names: [String], _ reason: String) throws {
    for name in names
    where CommandLine.arguments.contains(where: { $0 == name || $0.hasPrefix(name + "=") }) {
      throw ValidationError("\(name) has no effect \(reason); leave it out")
    }
  }
}
