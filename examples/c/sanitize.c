/*
 * The whole job in C: load, measure, sanitize with progress, measure again, save.
 *
 *   gcc -std=c11 -Wall -Wextra sanitize.c -lcleanclip -o sanitize
 *   ./sanitize clip.onnx 'finetune-*.tar' test.csv classes.txt templates.txt trigger.png truck clean.onnx
 */
#include <cleanclip.h>

#include <signal.h>
#include <stdio.h>

static volatile sig_atomic_t wants_to_stop = 0;

static void stop(int signal_number) {
  (void)signal_number;
  wants_to_stop = 1;
}

/* Prints what went wrong; returns 1 when something did. */
static int failed(cleanclip_status status, const char *what) {
  if (status == CLEANCLIP_OK) return 0;
  fprintf(stderr, "%s: %s: %s\n", what, cleanclip_status_name(status), cleanclip_last_error());
  return 1;
}

static int32_t show_progress(const cleanclip_progress *progress, void *user_data) {
  (void)user_data;
  fprintf(stderr, "\repoch %d/%d  step %d/%d  loss %.3f  %.0f pairs/s ", (int)progress->epoch,
          (int)progress->epochs, (int)progress->step, (int)progress->steps, progress->loss,
          progress->samples_per_second);
  return wants_to_stop; /* anything but 0 cancels */
}

/* Measures a model and prints the result; returns 0 on success. */
static int measure(const char *title, const cleanclip_model *model,
                   const cleanclip_tokenizer *tokenizer, const cleanclip_dataset *test,
                   const cleanclip_evaluate_options *options) {
  cleanclip_evaluation *evaluation = NULL;
  cleanclip_scores scores;
  const cleanclip_rate *accuracy = &scores.clean_accuracy[CLEANCLIP_TOP1];
  const cleanclip_rate *success = &scores.attack_success_rate[CLEANCLIP_TOP1];
  if (failed(cleanclip_evaluate(model, tokenizer, test, options, NULL, NULL, &evaluation),
             "evaluate")) {
    return 1;
  }
  cleanclip_scores_init(&scores, sizeof scores);
  if (!failed(cleanclip_evaluation_scores(evaluation, &scores), "scores")) {
    printf("%s: clean accuracy %.1f %% (%.1f to %.1f), attack success %.1f %% (%.1f to %.1f)\n",
           title, 100 * accuracy->value, 100 * accuracy->low, 100 * accuracy->high,
           100 * success->value, 100 * success->low, 100 * success->high);
  }
  cleanclip_evaluation_free(evaluation);
  return 0;
}

int main(int argc, char **argv) {
  cleanclip_model *model = NULL;
  cleanclip_tokenizer *tokenizer = NULL;
  cleanclip_dataset *pairs = NULL, *test = NULL;
  cleanclip_trigger *trigger = NULL;
  cleanclip_evaluate_options evaluation;
  cleanclip_sanitize_options options;
  int result = 1;

  if (argc != 9) {
    fprintf(stderr, "usage: %s MODEL PAIRS TEST CLASSES.txt TEMPLATES.txt TRIGGER.png TARGET OUTPUT\n",
            argv[0]);
    return 2;
  }
  if (cleanclip_version_number() != CLEANCLIP_VERSION_NUMBER) {
    fprintf(stderr, "compiled for %s, running with %s\n", CLEANCLIP_VERSION_STRING,
            cleanclip_version());
    return 1;
  }
  signal(SIGINT, stop);

  const char *sources[] = {argv[2]}, *test_sources[] = {argv[3]};
  if (failed(cleanclip_model_load(argv[1], &model), "model")) goto done;
  if (failed(cleanclip_tokenizer_find(argv[1], &tokenizer), "tokenizer")) goto done;
  if (failed(cleanclip_dataset_open(sources, 1, NULL, &pairs), "pairs")) goto done;
  if (failed(cleanclip_dataset_open(test_sources, 1, NULL, &test), "test")) goto done;
  if (failed(cleanclip_trigger_load(argv[6], NULL, &trigger), "trigger")) goto done;

  cleanclip_evaluate_options_init(&evaluation, sizeof evaluation);
  evaluation.classes_path = argv[4];
  evaluation.templates_path = argv[5];
  evaluation.trigger = trigger;
  evaluation.target = argv[7];
  if (measure("before", model, tokenizer, test, &evaluation) != 0) goto done;

  cleanclip_sanitize_options_init(&options, sizeof options);
  options.epochs = 4;
  options.learning_rate = 1e-4f;
  if (failed(cleanclip_sanitize(model, tokenizer, pairs, &options, show_progress, NULL, NULL),
             "sanitize")) {
    goto done;
  }
  fputc('\n', stderr);

  if (measure("after", model, tokenizer, test, &evaluation) != 0) goto done;
  if (failed(cleanclip_model_save(model, argv[8]), "save")) goto done;
  printf("wrote %s\n", argv[8]);
  result = 0;

done:
  cleanclip_trigger_free(trigger);
  cleanclip_dataset_free(test);
  cleanclip_dataset_free(pairs);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
  return result;
}
