// Errors and files are part of the engine's interface: whoever imports the engine has them.
@_exported public import CleanCLIPFiles
