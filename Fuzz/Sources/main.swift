internal import CFuzzer
internal import CCleanCLIP
internal import Glibc

// The program's name chooses the target: fuzz-onnx, fuzz-image.
cleanclip_set_num_threads(1)
var count = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
exit(
  LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
    FuzzTarget.chosen.run(UnsafeRawBufferPointer(start: bytes, count: count))
    return 0
  })
