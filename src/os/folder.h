/* os/folder.h - the real end of the seam to folders (base/folder.h). */
#ifndef OS_FOLDER_H
#define OS_FOLDER_H

#include "base/folder.h"

struct folder_seam folder_seam_real(void);

#endif
