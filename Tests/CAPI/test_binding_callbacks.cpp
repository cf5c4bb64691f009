// The C++ binding: functions of the program that the library calls, and what they throw.
#include <cleanclip.hpp>

#include <stdexcept>

#include "support.h"

namespace {

struct Mine : std::logic_error {
  using std::logic_error::logic_error;
};

/** Pairs of which one throws instead of being handed over. */
cleanclip::Dataset pairsThatThrow(pair_source &source, std::int64_t count, std::int64_t broken) {
  source = {};
  source.broken_index = -1;
  return cleanclip::Dataset(count, [&source, broken](std::int64_t index, cleanclip_pair &pair) {
    if (index == broken) throw Mine("pair");
    return hand_over_pair(index, &pair, &source) == 0;
  });
}

cleanclip::SanitizeOptions shortOptions() {
  cleanclip::SanitizeOptions options;
  options.epochs = 2;
  options.batch_size = 8;
  options.precision = CLEANCLIP_PRECISION_F32;
  return options;
}

/** Whether a call throws Mine with this text. */
template <typename Call>
bool throwsMine(const char *text, Call call) {
  try {
    call();
  } catch (const Mine &error) {
    return std::string(error.what()) == text;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "    another exception: %s\n", error.what());
  }
  return false;
}

void test_progress_that_throws() {
  cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Tokenizer tokenizer(tiny_vocabulary());
  pair_source source;
  const cleanclip::Dataset pairs = pairsThatThrow(source, 16, -1);
  CHECK(throwsMine("progress", [&] {
    cleanclip::sanitize(model, tokenizer, pairs, shortOptions(),
                        [](const cleanclip_progress &) -> bool { throw Mine("progress"); });
  }));
  const auto count = [](std::int64_t, std::int64_t) -> bool { throw Mine("count"); };
  cleanclip::EvaluateOptions options;
  options.classes = {"red", "green", "blue", "black"};
  CHECK(throwsMine("count", [&] { cleanclip::evaluate(model, tokenizer, pairs, options, count); }));
  CHECK(throwsMine("count", [&] {
    cleanclip::checkModel(model, &pairs, nullptr, {}, count);
  }));
  CHECK(throwsMine("count", [&] { cleanclip::checkData(&model, &pairs, {}, count); }));
}

void test_pairs_that_throw() {
  cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Tokenizer tokenizer(tiny_vocabulary());
  pair_source source;
  const cleanclip::Dataset pairs = pairsThatThrow(source, 16, 5);
  CHECK(throwsMine("pair", [&] { cleanclip::sanitize(model, tokenizer, pairs, shortOptions()); }));
  // What was thrown is gone: the next call throws what happens in it.
  CHECK(!pairs.hasThrown());
  cleanclip::EvaluateOptions options;
  options.classes = {"red", "green", "blue", "black"};
  CHECK(throwsMine("pair", [&] { cleanclip::evaluate(model, tokenizer, pairs, options); }));
  CHECK(throwsMine("pair", [&] { cleanclip::checkData(&model, &pairs); }));
  cleanclip::PoisonOptions poison;
  poison.target = "red";
  poison.count = 2;
  poison.image_size = 32;
  CHECK(throwsMine("pair", [&] {
    cleanclip::poison(pairs, cleanclip::Trigger("badnets"), poison, scratch("poisoned.tar"));
  }));
}

/** Two ranks of which this is the second, and the first is gone. */
class BrokenRanks : public cleanclip::Communicator {
 public:
  BrokenRanks() : Communicator(1, 2) {}
  void allReduce(float *, std::int64_t) override {}
  void allGather(const void *, std::int64_t, void *) override { throw Mine("rank 0 is gone"); }
  void broadcast(void *, std::int64_t, std::int32_t) override {}
};

void test_collectives_that_throw() {
  cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Tokenizer tokenizer(tiny_vocabulary());
  pair_source source;
  const cleanclip::Dataset pairs = pairsThatThrow(source, 16, -1);
  BrokenRanks ranks;
  CHECK(ranks.rank() == 1 && ranks.size() == 2 && ranks.get()->struct_size == sizeof *ranks.get());
  cleanclip::SanitizeOptions options = shortOptions();
  options.communicator = ranks.get();
  CHECK(throwsMine("rank 0 is gone",
                   [&] { cleanclip::sanitize(model, tokenizer, pairs, options); }));
  CHECK(std::string(cleanclip_last_error()).find("got rank 0 is gone") != std::string::npos);
}

void test_pairs_that_are_not_there_are_left_out() {
  cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Tokenizer tokenizer(tiny_vocabulary());
  pair_source source = {};
  source.broken_index = 3;
  const cleanclip::Dataset pairs(16, [&source](std::int64_t index, cleanclip_pair &pair) {
    return hand_over_pair(index, &pair, &source) == 0;
  });
  std::vector<std::string> messages;
  cleanclip::setLog([&messages](std::int32_t severity, const std::string &message) {
    // Beside them, that so few pairs are not checked.
    if (severity == CLEANCLIP_SEVERITY_WARNING) messages.push_back(message);
  });
  const cleanclip::History history =
      cleanclip::sanitize(model, tokenizer, pairs, shortOptions());
  CHECK(history.json().find("\"bad_rows\":") != std::string::npos);
  CHECK(!messages.empty());
  // A log that throws has no caller, and does not end the call.
  cleanclip::setLog([](std::int32_t, const std::string &) { throw Mine("log"); });
  cleanclip::sanitize(model, tokenizer, pairs, shortOptions());
  cleanclip::setLog(nullptr);
}

}  // namespace

int main() {
  RUN(test_progress_that_throws);
  RUN(test_pairs_that_throw);
  RUN(test_collectives_that_throw);
  RUN(test_pairs_that_are_not_there_are_left_out);
  remove_scratch();
  return finish();
}
