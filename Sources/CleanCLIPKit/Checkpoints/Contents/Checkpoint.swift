/// What a CLIP checkpoint holds, whatever its format.
package struct Checkpoint {
  package let configuration: CLIPConfiguration
  /// Weights under OpenCLIP's names, single precision.
  package let tensors: [String: Tensor]
  /// What people ask about the file.
  package let facts: CheckpointFacts
}
