// SPDX-License-Identifier: GPL-2.0-or-later
/* traffic-meter-export: the program behind `traffic-meter export`. */
#include "export/command.h"
#include "util/descriptors.h"

int main(int argc, char **argv)
{
	return descriptors_open_standard() < 0 ? 1 : export_main(argc, argv);
}
