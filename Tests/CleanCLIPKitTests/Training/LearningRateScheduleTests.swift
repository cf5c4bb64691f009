import CleanCLIPKit
import Testing

@Suite struct LearningRateScheduleTests {
  @Test func warmsUpFromTheFirstStepAndEndsNearZero() {
    let schedule = LearningRateSchedule(base: 2, warmup: 4, total: 12)
    #expect((0..<4).map(schedule.rate) == [0.5, 1, 1.5, 2])
    #expect(schedule.rate(at: 4) == 2)
    #expect(abs(schedule.rate(at: 8) - 1) < 1e-6)
    #expect(schedule.rate(at: 11) > 0 && schedule.rate(at: 11) < 0.1)
    #expect(abs(schedule.rate(at: 12)) < 1e-6)
  }

  @Test func warmupLongerThanTheRunOnlyRises() {
    let schedule = LearningRateSchedule(base: 1, warmup: 100, total: 3)
    #expect(schedule.rate(at: 2) == 0.03)
  }

  @Test func decayReachesWeightsButNoNormsBiasesAndTemperature() {
    let decayed = [
      "visual.conv1.weight", "visual.layer1.0.downsample.0.weight", "visual.proj",
      "visual.class_embedding", "token_embedding.weight", "positional_embedding",
      "visual.attnpool.q_proj.weight", "transformer.resblocks.0.attn.in_proj_weight",
      "head.weight",
    ]
    let exempt = [
      "logit_scale", "visual.bn1.weight", "visual.layer1.0.bn3.weight", "visual.ln_pre.weight",
      "visual.layer1.0.downsample.1.weight", "transformer.resblocks.0.ln_1.weight",
      "transformer.resblocks.0.attn.in_proj_bias", "visual.conv1.bias", "ln_final.weight",
    ]
    #expect(decayed.allSatisfy(WeightDecay.applies))
    #expect(!exempt.contains(where: WeightDecay.applies))
  }
}
