import CleanCLIPKit
import Glibc

for path in CommandLine.arguments.dropFirst() {
  do throws(CLIPError) {
    let loaded = try LoadedModel.load(path)
    print("OK", path, try loaded.description().serialized(pretty: true))
    let name = String(path.split(separator: "/").last ?? "")
    try loaded.save(to: "/tmp/ck/" + name + ".safetensors")
    try loaded.save(to: "/tmp/ck/same-" + name)
    try LoadedModel(loaded.model).save(to: "/tmp/ck/fresh-" + name)
    var random = RandomNumbers(seed: 1)
    for parameter in loaded.model.parameters {
      for i in 0..<parameter.value.count {
        parameter.value.f32[i] =
          parameter.value.f32[i] * (1 + 0.1 * random.normal()) + 0.02 * random.normal()
      }
      parameter.valueDidChange()
    }
    try loaded.save(to: "/tmp/ck/moved-" + name)
    try LoadedModel(loaded.model).save(to: "/tmp/ck/movedfresh-" + name)
    try SafeTensors.write(loaded.model.stateDict(), to: "/tmp/ck/moved-" + name + ".safetensors")
  } catch {
    print("FAIL", error)
  }
}
