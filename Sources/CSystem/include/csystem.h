#ifndef CSYSTEM_H
#define CSYSTEM_H

/// Makes an empty file in memory, without a name in any folder, that is closed when another program is started.
/// Returns its descriptor, or -1 with the reason in errno.
int csystem_memory_file(void);

#endif
