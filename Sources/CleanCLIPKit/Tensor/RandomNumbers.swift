internal import Glibc

/// A seeded stream of random numbers: xoshiro256** (Blackman and Vigna 2018), seeded by SplitMix64.
///
/// Streams are keyed, not shared: what is drawn for sample `i` of epoch `e` depends on the seed, `e`
/// and `i` alone, so the result does not depend on the number of loading threads, and training that
/// was interrupted draws the same numbers when it is resumed.
package struct RandomNumbers: RandomNumberGenerator, Sendable {
  private var s0: UInt64
  private var s1: UInt64
  private var s2: UInt64
  private var s3: UInt64

  /// Starts the stream of `seed` and any number of keys (purpose, epoch, sample).
  package init(seed: UInt64, _ keys: UInt64...) {
    var state = seed
    for key in keys { state = Self.splitMix(&state) ^ (key &* 0xD1B5_4A32_D192_ED03) }
    s0 = Self.splitMix(&state)
    s1 = Self.splitMix(&state)
    s2 = Self.splitMix(&state)
    s3 = Self.splitMix(&state)
  }

  private static func splitMix(_ state: inout UInt64) -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  package mutating func next() -> UInt64 {
    let result = Self.rotate(s1 &* 5, 7) &* 9
    let t = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = Self.rotate(s3, 45)
    return result
  }

  private static func rotate(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }

  /// Returns a number in `0 ..< 1` with 24 random bits.
  package mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

  /// Returns an integer in `0 ..< bound`; `bound` is positive.
  package mutating func integer(below bound: Int) -> Int {
    Int.random(in: 0..<bound, using: &self)
  }

  /// Returns a number of the standard normal distribution (Box and Muller 1958).
  package mutating func normal() -> Float {
    // 1 - uniform() is in (0, 1], where the logarithm is finite.
    let radius = (-2 * logf(1 - uniform())).squareRoot()
    return radius * cosf(2 * Float.pi * uniform())
  }

  /// Returns a random order of `0 ..< count` (Fisher and Yates).
  package mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    order.shuffle(using: &self)
    return order
  }
}
