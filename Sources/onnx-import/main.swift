import CleanCLIPKit
import Glibc

for path in CommandLine.arguments.dropFirst() {
  do throws(CLIPError) {
    let checkpoint = try CheckpointReader.load(path)
    print("OK", path, checkpoint.configuration, checkpoint.tensors.count)
    try SafeTensors.write(
      checkpoint.tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
      to: "/tmp/ck/" + path.split(separator: "/").last! + ".st")
  } catch {
    print("FAIL", error)
  }
}
