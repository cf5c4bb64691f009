import CleanCLIPKit
import Testing

/// Plants a backdoor into the text tower of a `tinyModel` by hand: what a token says along one direction
/// takes all of the attention and decides on the feature, and one word alone says anything there.
func plantedWord(_ word: Int, in model: CLIPModel) throws -> CLIPModel {
  func tensor(_ suffix: String) throws -> Tensor {
    try #require(
      model.stateDict().first {
        $0.name.hasSuffix(suffix) && !$0.name.hasPrefix("visual")
      }
    ).tensor
  }
  func sign(_ column: Int) -> Float { column % 2 == 0 ? 1 : -1 }
  let embedding = try tensor("token_embedding.weight")
  for table in [embedding, try tensor("positional_embedding")] {
    for row in 0..<table.shape[0] {
      let part = (0..<64).reduce(Float(0)) { $0 + table.f32[row * 64 + $1] * sign($1) } / 64
      for column in 0..<64 { table.f32[row * 64 + column] -= part * sign(column) }
    }
  }
  let weight = try tensor("attn.in_proj_weight")
  let bias = try tensor("attn.in_proj_bias")
  for column in 0..<64 {
    embedding.f32[word * 64 + column] = 40 * sign(column)
    bias.f32[column] = 1
    for row in 0..<64 {
      weight.f32[row * 64 + column] = 0
      weight.f32[(64 + row) * 64 + column] = 4 * sign(column) / 64
      weight.f32[(128 + row) * 64 + column] += Float(row % 5) * sign(column)
    }
  }
  return model
}
