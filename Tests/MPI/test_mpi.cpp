// Sanitizing over ranks of MPI: the losses and weights of one process, and a rank that hangs.
//
//   mpirun -n N test_mpi equal          every rank compares with the run of one process that it makes first
//   mpirun -n N test_mpi hang RANK      this rank stops in step 3; the others print the error
#include <cleanclip.hpp>
#include <cleanclip/mpi.hpp>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../CAPI/support.h"

namespace {

struct Outcome {
  std::vector<double> losses;
  std::vector<float> weights;
};

Outcome sanitized(const cleanclip_communicator *communicator, int hangingRank) {
  cleanclip::Model model = cleanclip::Model::create(tiny_architecture, 1);
  const cleanclip::Tokenizer tokenizer(tiny_vocabulary());
  pair_source source = {};
  source.broken_index = -1;
  const cleanclip::Dataset pairs(32, [&source](std::int64_t index, cleanclip_pair &pair) {
    return hand_over_pair(index, &pair, &source) == 0;
  });
  cleanclip::SanitizeOptions options;
  options.epochs = 3;
  options.batch_size = 8;
  options.learning_rate = 1e-4f;
  options.precision = CLEANCLIP_PRECISION_F32;
  options.communicator = communicator;
  Outcome outcome;
  cleanclip::sanitize(model, tokenizer, pairs, options, [&](const cleanclip_progress &progress) {
    outcome.losses.push_back(progress.loss);
    const bool hangs = communicator != nullptr && communicator->rank == hangingRank;
    if (hangs && progress.step == 3) std::raise(SIGSTOP);
    return true;
  });
  outcome.weights.resize(6144);
  CHECK_OK(cleanclip_model_read_parameter(model.get(), "visual.conv1.weight",
                                          outcome.weights.data(), outcome.weights.size()));
  return outcome;
}

void compare(const Outcome &outcome, const Outcome &whole) {
  CHECK(outcome.losses.size() == 12 && whole.losses.size() == 12);
  for (std::size_t step = 0; step < 12; ++step) {
    CHECK(std::abs(outcome.losses[step] - whole.losses[step]) <= 1e-5 * whole.losses[step]);
  }
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < whole.weights.size(); ++i) {
    difference += std::pow(outcome.weights[i] - whole.weights[i], 2);
    norm += std::pow(whole.weights[i], 2);
  }
  CHECK(norm > 0 && std::sqrt(difference) <= 1e-5 * std::sqrt(norm));
}

}  // namespace

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  cleanclip::setThreadCount(1);
  const int hangingRank = argc == 3 ? std::atoi(argv[2]) : -1;
  try {
    const cleanclip::MPICommunicator ranks(MPI_COMM_WORLD, argc == 3 ? 3 : 120);
    const Outcome outcome = sanitized(ranks.get(), hangingRank);
    compare(outcome, sanitized(nullptr, -1));
    if (ranks.rank() == 0 && failures == 0) std::printf("ok   %d ranks equal one\n", ranks.size());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::fflush(stderr);
    MPI_Abort(MPI_COMM_WORLD, 3);
  }
  remove_scratch();
  MPI_Finalize();
  return finish();
}
