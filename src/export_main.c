// SPDX-License-Identifier: GPL-2.0-or-later
/* traffic-meter-export: the program behind `traffic-meter export`. */
#include "export/command.h"
#include "util/standard.h"

int main(int argc, char **argv)
{
	return standard_open() < 0 ? 1 : export_main(argc, argv);
}
