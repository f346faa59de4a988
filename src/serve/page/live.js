// SPDX-License-Identifier: GPL-2.0-or-later
// The rates of this moment: asks the server every two seconds while the page is looked at.
"use strict";
(() => {
	const body = document.getElementById("live"), note = document.getElementById("live-note");
	const units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
	const rate = (bytes) => {
		let value = bytes * 8, unit = 0;
		while (value >= 999.5 && unit < units.length - 1) {
			value /= 1000;
			unit++;
		}
		return value.toFixed(value < 99.95 && unit ? 1 : 0) + " " + units[unit];
	};
	const cell = (row, text) => (row.insertCell().textContent = text);
	const show = (answer) => {
		const rows = document.createElement("tbody");
		let moving = 0;
		for (const user of answer.users) {
			if (!user.in.bytes_per_s && !user.out.bytes_per_s)
				continue;
			if (++moving > 10)
				break;
			const row = rows.insertRow();
			cell(row, user.uid === null ? "nobody's" : "uid " + user.uid);
			cell(row, rate(user.in.bytes_per_s));
			cell(row, rate(user.out.bytes_per_s));
		}
		body.replaceChildren(...rows.rows);
		body.closest("table").hidden = !moving;
		note.textContent = moving ? "" : "Nobody moves anything at this moment.";
	};
	const ask = async () => {
		try {
			const reply = await fetch("/api/v1/live?what=users&top=50");
			if (reply.ok)
				show(await reply.json());
			else
				note.textContent = await reply.text();
		} catch {
			note.textContent = "The server does not answer.";
		}
	};
	ask();
	setInterval(() => document.hidden || ask(), 2000);
})();
