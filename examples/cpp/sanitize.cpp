// The whole job in C++: load, measure, sanitize with progress, measure again, report, save.
//
//   g++ -std=c++17 -Wall -Wextra sanitize.cpp -lcleanclip -o sanitize
//   ./sanitize clip.onnx 'finetune-*.tar' test.csv classes.txt templates.txt trigger.png truck clean.onnx
#include <cleanclip.hpp>

#include <cstdio>
#include <exception>
#include <string>

namespace {

cleanclip::Evaluation measure(const char *title, const cleanclip::Model &model,
                              const cleanclip::Tokenizer &tokenizer,
                              const cleanclip::Dataset &test,
                              const cleanclip::EvaluateOptions &options) {
  cleanclip::Evaluation evaluation = cleanclip::evaluate(model, tokenizer, test, options);
  const cleanclip_scores scores = evaluation.scores();
  std::printf("%s: clean accuracy %.1f %%, attack success %.1f %%\n", title,
              100 * scores.clean_accuracy[CLEANCLIP_TOP1].value,
              100 * scores.attack_success_rate[CLEANCLIP_TOP1].value);
  return evaluation;
}

void run(char **argv) {
  const std::string modelPath = argv[1];
  cleanclip::Model model(modelPath);
  const cleanclip::Tokenizer tokenizer = cleanclip::Tokenizer::find(modelPath);
  const cleanclip::Dataset pairs({argv[2]});
  const cleanclip::Dataset test({argv[3]});
  const cleanclip::Trigger trigger(argv[6]);

  cleanclip::EvaluateOptions evaluation;
  evaluation.classes_path = argv[4];
  evaluation.templates_path = argv[5];
  evaluation.trigger = trigger.get();
  evaluation.target = argv[7];
  const cleanclip::Evaluation before = measure("before", model, tokenizer, test, evaluation);

  cleanclip::SanitizeOptions options;
  options.epochs = 4;
  options.learning_rate = 1e-4f;
  const cleanclip::History history = cleanclip::sanitize(
      model, tokenizer, pairs, options, [](const cleanclip_progress &progress) {
        std::fprintf(stderr, "\rstep %d/%d  loss %.3f ", static_cast<int>(progress.step),
                     static_cast<int>(progress.steps), progress.loss);
        return true;
      });
  std::fputc('\n', stderr);

  const cleanclip::Evaluation after = measure("after", model, tokenizer, test, evaluation);
  const std::string output = argv[8];
  model.save(output);

  cleanclip::ReportOptions report;
  report.model = model.get();
  report.before = before.get();
  report.after = after.get();
  report.history = history.get();
  cleanclip::writeReport(report, output + ".html");
  std::printf("wrote %s and %s.html\n", output.c_str(), output.c_str());
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 9) {
    std::fprintf(stderr,
                 "usage: %s MODEL PAIRS TEST CLASSES.txt TEMPLATES.txt TRIGGER.png TARGET "
                 "OUTPUT\n",
                 argv[0]);
    return 2;
  }
  try {
    run(argv);
  } catch (const cleanclip::Error &error) {
    std::fprintf(stderr, "%s: %s\n", cleanclip_status_name(error.code()), error.what());
    return 1;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
