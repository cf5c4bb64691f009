#ifndef CLEANCLIP_H
#define CLEANCLIP_H

#endif
