/*
 * Sanitizing over several machines with MPI: every rank reads the model and the pairs, rank 0 writes.
 *
 *   mpicc -std=c11 -Wall -Wextra sanitize.c -lcleanclip -o sanitize
 *   mpirun -n 4 --map-by node ./sanitize clip.onnx 'finetune-*.tar' clean.onnx state
 *
 * With a folder for the state (of rank 0), a run that was ended is resumed, with any number of ranks.
 */
#include <cleanclip.h>
#include <cleanclip/mpi.h>

#include <stdio.h>
#include <stdlib.h>

/* Ends all ranks with the text of the error. */
static void require(cleanclip_status status, const char *what) {
  int rank = 0;
  if (status == CLEANCLIP_OK) return;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  fprintf(stderr, "rank %d: %s: %s: %s\n", rank, what, cleanclip_status_name(status),
          cleanclip_last_error());
  MPI_Abort(MPI_COMM_WORLD, 1);
}

static int32_t show_progress(const cleanclip_progress *progress, void *user_data) {
  const cleanclip_communicator *ranks = (const cleanclip_communicator *)user_data;
  if (ranks->rank == 0) {
    fprintf(stderr, "step %d of %d: loss %.6f, %.0f pairs/s\n", (int)progress->step,
            (int)progress->steps, progress->loss, progress->samples_per_second);
  }
  return 0;
}

int main(int argc, char **argv) {
  cleanclip_mpi ranks;
  cleanclip_model *model = NULL;
  cleanclip_tokenizer *tokenizer = NULL;
  cleanclip_dataset *pairs = NULL;
  cleanclip_sanitize_options options;

  MPI_Init(&argc, &argv);
  if (argc != 4 && argc != 5) {
    fprintf(stderr, "usage: %s MODEL PAIRS OUTPUT [STATE FOLDER]\n", argv[0]);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  if (cleanclip_mpi_init(&ranks, MPI_COMM_WORLD, 300) != MPI_SUCCESS) {
    MPI_Abort(MPI_COMM_WORLD, 1);
  }

  const char *sources[] = {argv[2]};
  require(cleanclip_model_load(argv[1], &model), "model");
  require(cleanclip_tokenizer_find(argv[1], &tokenizer), "tokenizer");
  require(cleanclip_dataset_open(sources, 1, NULL, &pairs), "pairs");
  cleanclip_sanitize_options_init(&options, sizeof options);
  options.epochs = 4;
  options.learning_rate = 1e-4f;
  options.communicator = &ranks.communicator;
  if (argc == 5) {
    options.state_directory = argv[4];
    options.resume = 1;
  }
  require(cleanclip_sanitize(model, tokenizer, pairs, &options, show_progress, &ranks.communicator,
                             NULL),
          "sanitize");
  if (ranks.communicator.rank == 0) {
    require(cleanclip_model_save(model, argv[3]), "save");
    printf("wrote %s\n", argv[3]);
  }

  cleanclip_dataset_free(pairs);
  cleanclip_tokenizer_free(tokenizer);
  cleanclip_model_free(model);
  cleanclip_mpi_free(&ranks);
  MPI_Finalize();
  return 0;
}
