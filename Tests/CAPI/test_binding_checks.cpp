// The C++ binding: triggers, evaluations, checks with findings, banks, reports.
#include <cleanclip.hpp>

#include <unistd.h>

#include <fstream>
#include <iterator>

#include "support.h"

namespace {

cleanclip::Dataset tinyPairs(pair_source &source, std::int64_t count) {
  source = {};
  source.broken_index = -1;
  return cleanclip::Dataset(count, [&source](std::int64_t index, cleanclip_pair &pair) {
    return hand_over_pair(index, &pair, &source) == 0;
  });
}

void test_triggers_and_poisoned_sets() {
  CHECK(cleanclip::Trigger::names().find("badnets") != std::string::npos);
  cleanclip::TriggerOptions place;
  place.position = "0,0";
  place.patch_size = 4;
  const cleanclip::Trigger trigger("badnets", place);
  std::vector<std::uint8_t> pixels(2 * 16 * 16 * 3, 100);
  trigger.apply(pixels, 2, 16, 16);
  CHECK(pixels[0] != 100 || pixels[3] != 100);
  CHECK(pixels.back() == 100);
  pair_source source;
  const cleanclip::Dataset pairs = tinyPairs(source, 12);
  cleanclip::PoisonOptions options;
  options.target = "red";
  options.count = 3;
  options.image_size = 32;
  options.templates = {"a sight of {}"};
  const std::string path = scratch("poisoned.tar");
  CHECK(cleanclip::poison(pairs, trigger, options, path, scratch("truth.csv")) == 3);
  CHECK(cleanclip::Dataset({path}).size() == 12);
}

void test_evaluations_and_reports() {
  cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Tokenizer tokenizer(tiny_vocabulary());
  pair_source source;
  const cleanclip::Dataset pairs = tinyPairs(source, 12);
  const cleanclip::Trigger trigger("badnets");
  cleanclip::EvaluateOptions options;
  options.classes = {"red", "green", "blue", "black"};
  options.templates = {"a {} box", "{}"};
  options.trigger = trigger.get();
  options.target = "red";
  int calls = 0;
  const cleanclip::Evaluation evaluation = cleanclip::evaluate(
      model, tokenizer, pairs, options, [&calls](std::int64_t, std::int64_t) { return ++calls > 0; });
  CHECK(calls > 0);
  CHECK(evaluation.scores().images == 12 && evaluation.scores().attacked_images == 9);
  CHECK(evaluation.json().front() == '{');
  CHECK(cleanclip::evaluateRetrieval(model, tokenizer, pairs).find("recall_at_1") !=
        std::string::npos);
  CHECK(pairs.describe().find("\"rows\"") != std::string::npos);
  cleanclip::ReportOptions report;
  report.before = evaluation.get();
  const std::string path = scratch("report.html");
  cleanclip::writeReport(report, path);
  CHECK(access(path.c_str(), F_OK) == 0);
}

void test_checks_of_models() {
  cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Model other = cleanclip::Model::create(tiny_architecture, 2);
  const cleanclip::Tokenizer tokenizer(tiny_vocabulary());
  pair_source source;
  const cleanclip::Dataset pairs = tinyPairs(source, 24);
  cleanclip::CheckModelOptions options;
  options.classes = {"red", "green", "blue", "black"};
  options.references = {other};
  options.steps = 4;
  options.image_limit = 16;
  const cleanclip::Check check = cleanclip::checkModel(model, &pairs, &tokenizer, options);
  const std::vector<cleanclip::Finding> findings = check.findings();
  CHECK(!findings.empty() && check.scores().empty());
  std::int64_t withTrigger = -1, without = -1;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    CHECK(!findings[i].kind.empty() && !findings[i].sizeMeaning.empty());
    CHECK(!findings[i].referenceSizes.empty());
    CHECK(findings[i].pValue > 0 && findings[i].pValue <= 1);
    (findings[i].hasTrigger ? withTrigger : without) = static_cast<std::int64_t>(i);
  }
  if (withTrigger >= 0) {
    const std::string path = scratch("found.safetensors");
    check.trigger(withTrigger).save(path);
    std::vector<std::uint8_t> pixels(32 * 32 * 3, 128);
    cleanclip::Trigger(path).apply(pixels, 1, 32, 32);
  }
  if (without >= 0) {
    try {
      check.trigger(without);
      CHECK(!"an exception");
    } catch (const cleanclip::Error &error) {
      CHECK(error.code() == CLEANCLIP_NOT_FOUND);
    }
  }
  check.write(scratch("check.html"));
}

void test_checks_of_data() {
  const cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  pair_source source;
  const cleanclip::Dataset pairs = tinyPairs(source, 24);
  const cleanclip::Check check = cleanclip::checkData(&model, &pairs);
  CHECK(check.scores().size() == 24 && check.findings().empty());
  CHECK(check.json().front() == '{');
  // Features alone, with names.
  std::vector<float> features(24 * 3);
  for (std::size_t i = 0; i < features.size(); ++i) features[i] = static_cast<float>((i * 7) % 71);
  cleanclip::CheckDataOptions options;
  options.image_features = features.data();
  options.embed_dim = 3;
  for (int i = 0; i < 24; ++i) options.keys.push_back("pair " + std::to_string(i));
  const cleanclip::Check named = cleanclip::checkData(nullptr, nullptr, options);
  named.write(scratch("named.csv"));
  std::ifstream file(scratch("named.csv"));
  const std::string table((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  CHECK(table.find("\n7,pair 7,") != std::string::npos);
  options.captions = {"one"};
  try {
    cleanclip::checkData(nullptr, nullptr, options);
    CHECK(!"an exception");
  } catch (const cleanclip::Error &error) {
    CHECK(error.code() == CLEANCLIP_INVALID_ARGUMENT);
  }
}

void test_banks() {
  const cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Tokenizer tokenizer(tiny_vocabulary());
  std::vector<std::uint8_t> pixels(60 * 8 * 8 * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>((i * 2654435761u) >> 13);
  }
  cleanclip::EncodeOptions encode;
  encode.normalize = 0;
  const cleanclip::Features features = model.encodeImages(pixels, 60, 8, 8, encode);
  cleanclip::Bank bank(features);
  bank.addClasses(model, tokenizer, {"red", "blue"});
  bank.save(scratch("bank.safetensors"));
  const cleanclip::InputScores scores =
      cleanclip::Bank::load(scratch("bank.safetensors")).checkInputs(features, 0.1);
  CHECK(scores.scores.size() == 60 && scores.flags.size() == 60);
  int flagged = 0;
  for (const std::int32_t flag : scores.flags) flagged += flag;
  CHECK(flagged <= 12);
  CHECK(bank.checkInputSet(features, 0.1).verdict() == CLEANCLIP_VERDICT_CLEAN);
  CHECK(bank.extend(features) == 0);
  bank.setModel(model);
  try {
    bank.setModel(cleanclip::Model::create(tiny_architecture, 2));
    CHECK(!"an exception");
  } catch (const cleanclip::Error &error) {
    CHECK(error.code() == CLEANCLIP_INVALID_ARGUMENT);
  }
}

}  // namespace

int main() {
  RUN(test_triggers_and_poisoned_sets);
  RUN(test_evaluations_and_reports);
  RUN(test_checks_of_models);
  RUN(test_checks_of_data);
  RUN(test_banks);
  remove_scratch();
  return finish();
}
