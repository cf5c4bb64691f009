import CleanCLIPKit
import Glibc

for path in CommandLine.arguments.dropFirst() {
  do throws(CLIPError) {
    let checkpoint = try CheckpointReader.load(path)
    print("OK", path, checkpoint.configuration, checkpoint.tensors.count)
    let name = String(path.split(separator: "/").last ?? "")
    try SafeTensors.write(
      checkpoint.tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
      to: "/tmp/ck/" + name + ".st")
    try ONNXExport.write(checkpoint.configuration, checkpoint.tensors, to: "/tmp/ck/fresh-" + name)
    try ONNXExport.write(checkpoint.configuration, checkpoint.tensors, to: "/tmp/ck/hf-" + name, names: .huggingFace)
  } catch {
    print("FAIL", error)
  }
}
