/* The plug-in by which the tool `cleanclip` uses MPI: scripts/stage.sh builds it where there is mpicc, and the tool
 * loads it where mpirun started the process. */
#include <cleanclip/mpi.h>

#define EXPORTED __attribute__((visibility("default")))

static cleanclip_mpi ranks;

/* The tool has no libcleanclip, whose function the adapter calls. */
void cleanclip_communicator_init(cleanclip_communicator *communicator, size_t struct_size) {
  memset(communicator, 0, struct_size);
  communicator->struct_size = struct_size;
}

/* Begins MPI; returns the ranks, or NULL. How long a rank waits for the others is the user's to say, 0 for ever: mpirun
 * ends all when one dies, and one may search for hours while others wait. */
EXPORTED const cleanclip_communicator *cleanclip_mpi_start(double timeout_seconds) {
  if (MPI_Init(NULL, NULL) != MPI_SUCCESS) return NULL;
  if (cleanclip_mpi_init(&ranks, MPI_COMM_WORLD, timeout_seconds) != MPI_SUCCESS) return NULL;
  return &ranks.communicator;
}

/* Ends MPI, when every rank is done. */
EXPORTED void cleanclip_mpi_end(void) {
  cleanclip_mpi_free(&ranks);
  MPI_Finalize();
}
