/**
 * @file cleanclip/version.hpp
 * @brief The version of the library.
 *
 * Part of cleanclip.hpp, which programs include.
 */
#ifndef CLEANCLIP_VERSION_HPP
#define CLEANCLIP_VERSION_HPP

#include <cleanclip/version.h>

#include <cstdint>

namespace cleanclip {

/** The version as one number: major * 1,000,000 + minor * 1,000 + patch. */
inline std::uint32_t versionNumber() noexcept { return cleanclip_version_number(); }

/** The version as text, such as "0.1.0". */
inline const char *version() noexcept { return cleanclip_version(); }

}  // namespace cleanclip

#endif
