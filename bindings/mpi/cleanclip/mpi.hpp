/**
 * @file cleanclip/mpi.hpp
 * @brief A communicator of MPI's, for C++ programs that use MPI.
 *
 * @code{.cpp}
 * cleanclip::MPICommunicator ranks(MPI_COMM_WORLD, 60);
 * cleanclip::SanitizeOptions options;
 * options.communicator = ranks.get();
 * @endcode
 */
#ifndef CLEANCLIP_MPI_HPP
#define CLEANCLIP_MPI_HPP

#include "mpi.h"

#include <cstdint>
#include <stdexcept>

namespace cleanclip {

/** A communicator of the library on one of MPI's; every rank makes and destroys it. */
class MPICommunicator {
 public:
  /**
   * @param comm Whose ranks they are; it is duplicated.
   * @param timeoutSeconds How long a rank waits for the others in one collective; 0: for ever.
   * @throws std::runtime_error when MPI cannot duplicate the communicator.
   */
  explicit MPICommunicator(MPI_Comm comm = MPI_COMM_WORLD, double timeoutSeconds = 0) {
    if (cleanclip_mpi_init(&native_, comm, timeoutSeconds) != MPI_SUCCESS) {
      throw std::runtime_error("cleanclip: MPI did not duplicate the communicator");
    }
  }

  MPICommunicator(const MPICommunicator &) = delete;
  MPICommunicator &operator=(const MPICommunicator &) = delete;

  /** Frees MPI's communicator, unless a collective failed: the others may wait in it. */
  ~MPICommunicator() {
    if (native_.communicator.problem == nullptr) cleanclip_mpi_free(&native_);
  }

  std::int32_t rank() const noexcept { return native_.communicator.rank; }
  std::int32_t size() const noexcept { return native_.communicator.size; }

  /** For the member of options; valid as long as this object. */
  const cleanclip_communicator *get() const noexcept { return &native_.communicator; }

 private:
  cleanclip_mpi native_;
};

}  // namespace cleanclip

#endif
