internal import CleanCLIPKit

/// Runs the body of a command, which throws nothing but what the library throws.
func run(_ body: () throws(CLIPError) -> Void) throws { try body() }
