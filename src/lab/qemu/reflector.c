/*
 * The lab's traffic inside a guest that has no Node.js: the other end of the numbered datagrams and TCP streams of src/lab/traffic/.
 *
 *   reflector NAME udp PORT [--echo-every N]
 *       Counts what arrives, by flow; answers probes, and every N-th datagram with one of the same size. An answer carries the time
 *       of the datagram it answers, so that who sent that one sees how long both took.
 *   reflector NAME talk ADDRESS PORT --flow N --rate DATAGRAMS_PER_SECOND [--size BYTES] [--from-port PORT]
 *       Sends a flow, from the start until it is told to stop; counts its answers.
 *   reflector NAME tcp PORT [--rate BYTES_PER_SECOND]
 *       Checks what each connection brings and sends at this rate in return; 0, the default, is nothing.
 *   reflector NAME report | lap | start | stop | quit
 *       Asks the one that runs under this name, in the same network namespace. All answer with one line of JSON, the counts;
 *       `lap` begins the longest pauses anew after that.
 *   reflector NAME account FLOW FROM TO [FLOW FROM TO ...]
 *       What became of the numbers FROM..TO-1 of each flow, so that a step of a run can be told from the next.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "account.h"
#include "counter_stream.h"
#include "datagram.h"

#define FLOWS 256
#define CONNECTIONS 16
#define RECEIVE_BUFFER_BYTES (16 << 20)
/* Of a question, with its end mark. */
#define COMMAND_BYTES 4096
/* Datagrams taken at a time, before the others have their turn. */
#define BURST 64
/* Sending stops while this much waits: a connection that stands still must not fill the memory. */
#define WAITING_BYTES (1 << 20)
/* How long it may sleep while it sends: as rarely as a steady rate allows, for an emulated CPU has better things to do. */
#define SHORTEST_TICK_MS 1
#define LONGEST_TICK_MS 10
/* A sender that was not let run for longer does not make up for it, as src/lab/traffic/pacer.ts. */
#define CATCH_UP_MS 20

enum mode { MODE_UDP, MODE_TALK, MODE_TCP };

/* Says when to send: how many units are due so that the rate is steady although timers are not. */
struct pacer {
	double per_second;
	uint64_t start_ns;
	uint64_t taken;
	uint64_t skipped;
};

struct flow {
	uint32_t id;
	struct account account;
	uint64_t echoed;
	uint64_t until_echo;
};

struct connection {
	/* -1 when it has ended. */
	int fd;
	struct counter_reader reader;
	uint64_t next_word;
	uint64_t bytes_sent;
	uint8_t waiting[WAITING_BYTES];
	size_t waiting_bytes;
	struct pacer pacer;
	uint64_t last_ns;
	uint64_t longest_stall_ns;
	const char *error;
};

static struct {
	const char *name;
	enum mode mode;
	int control;
	/* The UDP socket, or the one that takes connections. */
	int socket;
	int running;
	double rate;
	uint64_t echo_every;
	struct sockaddr_in6 to;
	uint32_t flow;
	uint16_t size;
	struct pacer pacer;
	uint64_t sent;
	uint64_t send_errors;
	int last_send_error;
	/* The answer that the socket had no room for; nothing is read until it is sent. */
	struct datagram_header answer;
	struct sockaddr_in6 answer_to;
	int answer_waits;
	struct flow flows[FLOWS];
	int flow_count;
	struct connection *connections[CONNECTIONS];
	int connection_count;
	uint64_t refused;
	uint64_t foreign;
	uint64_t damaged_headers;
	uint64_t misdelivered;
} my;

static void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("reflector: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static int must(int result, const char *what)
{
	if (result < 0)
		fail("%s: %s", what, strerror(errno));
	return result;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static uint64_t pacer_take(struct pacer *pacer, uint64_t now)
{
	uint64_t due = (uint64_t)((now - pacer->start_ns) * pacer->per_second / 1e9) - pacer->taken;
	uint64_t bound = (uint64_t)(pacer->per_second * CATCH_UP_MS / 1000) + 1;

	pacer->taken += due;
	if (due <= bound)
		return due;
	pacer->skipped += due - bound;
	return bound;
}

static void pacer_start(struct pacer *pacer, double per_second)
{
	pacer->per_second = per_second;
	pacer->start_ns = now_ns();
	pacer->taken = 0;
}

/* ---- UDP ---- */

static struct flow *flow_of(uint32_t id)
{
	for (int i = 0; i < my.flow_count; i++)
		if (my.flows[i].id == id)
			return &my.flows[i];
	if (my.flow_count == FLOWS)
		return NULL;
	struct flow *flow = &my.flows[my.flow_count++];
	flow->id = id;
	account_init(&flow->account);
	flow->until_echo = my.echo_every;
	return flow;
}

/* Returns 0 when the socket has no room now. */
static int try_to_send(const struct datagram_header *header, const struct sockaddr_in6 *to)
{
	static uint8_t bytes[DATAGRAM_MAX_BYTES + 4];

	datagram_make(bytes, *header);
	if (sendto(my.socket, bytes, header->length, MSG_DONTWAIT, (const struct sockaddr *)to, sizeof(*to)) >= 0)
		return 1;
	if (errno == EAGAIN || errno == ENOBUFS)
		return 0;
	my.send_errors++;
	my.last_send_error = errno;
	return 1;
}

/* A burst of what had waited on the way is answered at the speed of the way back. */
static void send_answer(const struct datagram_header *header, const struct sockaddr_in6 *to)
{
	if (try_to_send(header, to))
		return;
	my.answer = *header;
	my.answer_to = *to;
	my.answer_waits = 1;
}

static void take_datagram(const uint8_t *bytes, size_t length, const struct sockaddr_in6 *from)
{
	struct datagram_header header;
	enum datagram_check check = datagram_check(bytes, length, &header);
	enum datagram_stream expected = my.mode == MODE_UDP ? STREAM_FORWARD : STREAM_ECHO;
	struct flow *flow;

	if (check == DATAGRAM_FOREIGN) {
		my.foreign++;
	} else if (check == DATAGRAM_BAD_HEADER) {
		my.damaged_headers++;
	} else if (my.mode == MODE_UDP && header.stream == STREAM_PROBE) {
		/* Of which a damaged one is answered with the length that it should have had. */
		header.stream = STREAM_PROBE_ANSWER;
		send_answer(&header, from);
	} else if (header.stream != expected || (my.mode == MODE_TALK && header.flow != my.flow) || !(flow = flow_of(header.flow))) {
		my.misdelivered++;
	} else {
		account_add(&flow->account, header.sequence, now_ns(), check == DATAGRAM_BAD_PAYLOAD);
		if (my.mode != MODE_UDP || !my.echo_every || --flow->until_echo)
			return;
		flow->until_echo = my.echo_every;
		header.stream = STREAM_ECHO;
		header.sequence = flow->echoed++;
		send_answer(&header, from);
	}
}

static void read_datagrams(void)
{
	static uint8_t bytes[DATAGRAM_MAX_BYTES + 4];

	if (my.answer_waits && !try_to_send(&my.answer, &my.answer_to))
		return;
	my.answer_waits = 0;
	for (int i = 0; i < BURST && !my.answer_waits; i++) {
		struct sockaddr_in6 from;
		socklen_t from_length = sizeof(from);
		ssize_t length = recvfrom(my.socket, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &from_length);

		if (length >= 0)
			take_datagram(bytes, length, &from);
		else if (errno != ECONNREFUSED && errno != EINTR)
			return;
	}
}

static void talk(void)
{
	for (uint64_t due = pacer_take(&my.pacer, now_ns()); due; due--) {
		struct datagram_header header = {
			.flow = my.flow, .sequence = my.sent++, .sent_ns = now_ns(), .length = my.size, .stream = STREAM_FORWARD,
		};
		if (try_to_send(&header, &my.to))
			continue;
		my.send_errors++;
		my.last_send_error = errno;
	}
}

/* ---- TCP ---- */

static void end_connection(struct connection *connection, const char *error)
{
	close(connection->fd);
	connection->fd = -1;
	connection->error = error;
}

static void flush(struct connection *connection)
{
	ssize_t sent;

	if (!connection->waiting_bytes)
		return;
	sent = send(connection->fd, connection->waiting, connection->waiting_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0) {
		if (errno != EAGAIN && errno != EINTR)
			end_connection(connection, strerrorname_np(errno));
		return;
	}
	connection->waiting_bytes -= sent;
	memmove(connection->waiting, connection->waiting + sent, connection->waiting_bytes);
}

static void send_words(struct connection *connection)
{
	/* Takes what is due in any case, so that a stall is not followed by a burst of all that could not be sent. */
	uint64_t due = pacer_take(&connection->pacer, now_ns());

	for (; due && connection->waiting_bytes + COUNTER_WORD_BYTES <= WAITING_BYTES; due--) {
		counter_word(connection->next_word++, connection->waiting + connection->waiting_bytes);
		connection->waiting_bytes += COUNTER_WORD_BYTES;
		connection->bytes_sent += COUNTER_WORD_BYTES;
	}
}

static void read_stream(struct connection *connection)
{
	static uint8_t bytes[1 << 16];
	uint64_t now = now_ns();
	ssize_t length = recv(connection->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length <= 0) {
		end_connection(connection, length < 0 ? strerrorname_np(errno) : "the connection closed");
		return;
	}
	if (connection->last_ns && now - connection->last_ns > connection->longest_stall_ns)
		connection->longest_stall_ns = now - connection->last_ns;
	connection->last_ns = now;
	counter_read(&connection->reader, bytes, length);
}

static void accept_connection(void)
{
	int one = 1, fd = accept4(my.socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *connection;

	if (fd < 0)
		return;
	if (my.connection_count == CONNECTIONS || !(connection = calloc(1, sizeof(*connection)))) {
		my.refused++;
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connection->fd = fd;
	pacer_start(&connection->pacer, my.rate / COUNTER_WORD_BYTES);
	my.connections[my.connection_count++] = connection;
}

/* ---- reports ---- */

static void print_flow(const struct flow *flow, const char *stream, FILE *out)
{
	fprintf(out, "{\"flow\":%u,\"stream\":\"%s\",\"echoed\":%llu,", flow->id, stream, (unsigned long long)flow->echoed);
	account_print(&flow->account, out);
	fputc('}', out);
}

static void print_connection(const struct connection *connection, FILE *out)
{
	fprintf(out, "{\"connected\":%s,\"bytesSent\":%llu,\"bytesReceived\":%llu,\"wrongWords\":%llu,\"longestStallMs\":%.1f,\"error\":",
		connection->fd < 0 ? "false" : "true", (unsigned long long)connection->bytes_sent,
		(unsigned long long)connection->reader.bytes, (unsigned long long)connection->reader.wrong_words,
		connection->longest_stall_ns / 1e6);
	fprintf(out, connection->error ? "\"%s\"}" : "null}", connection->error);
}

/* Datagrams that the socket had no room for. */
static uint32_t socket_drops(void)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t length = sizeof(info);

	return getsockopt(my.socket, SOL_SOCKET, SO_MEMINFO, info, &length) ? 0 : info[SK_MEMINFO_DROPS];
}

static void print_report(FILE *out)
{
	fprintf(out, "{\"name\":\"%s\",\"running\":%s,\"sent\":%llu,\"skipped\":%llu,\"sendErrors\":%llu,\"lastSendError\":", my.name,
		my.running ? "true" : "false", (unsigned long long)my.sent, (unsigned long long)my.pacer.skipped,
		(unsigned long long)my.send_errors);
	fprintf(out, my.last_send_error ? "\"%s\"" : "null", strerrorname_np(my.last_send_error));
	fprintf(out, ",\"foreign\":%llu,\"damagedHeaders\":%llu,\"misdelivered\":%llu,\"socketDrops\":%u,\"refused\":%llu,\"flows\":[",
		(unsigned long long)my.foreign, (unsigned long long)my.damaged_headers, (unsigned long long)my.misdelivered,
		socket_drops(), (unsigned long long)my.refused);
	for (int i = 0; i < my.flow_count; i++) {
		fputs(i ? "," : "", out);
		print_flow(&my.flows[i], my.mode == MODE_UDP ? "forward" : "echo", out);
	}
	fputs("],\"connections\":[", out);
	for (int i = 0; i < my.connection_count; i++) {
		fputs(i ? "," : "", out);
		print_connection(my.connections[i], out);
	}
	fputs("]}\n", out);
}

static void forget_pauses(void)
{
	for (int i = 0; i < my.flow_count; i++)
		my.flows[i].account.longest_gap_ns = 0;
	for (int i = 0; i < my.connection_count; i++)
		my.connections[i]->longest_stall_ns = 0;
}

/* @ranges: "FLOW FROM TO ..."; answers in that order. A flow of which nothing has come is one of which all is missing. */
static void print_accounts(const char *ranges, FILE *out)
{
	static const struct account nothing = { .highest = -1 };
	unsigned int id;
	unsigned long long from, to;
	int length, count = 0;

	fputs("{\"accounts\":[", out);
	for (; sscanf(ranges, "%u %llu %llu%n", &id, &from, &to, &length) == 3; ranges += length) {
		const struct account *account = &nothing;

		for (int i = 0; i < my.flow_count; i++)
			if (my.flows[i].id == id)
				account = &my.flows[i].account;
		fputs(count++ ? "," : "", out);
		account_print_range(account, from, to < ACCOUNT_NUMBERS ? to : ACCOUNT_NUMBERS, out);
	}
	fputs("]}\n", out);
}

static void start_running(void)
{
	if (my.running)
		return;
	my.running = 1;
	pacer_start(&my.pacer, my.rate);
	for (int i = 0; i < my.connection_count; i++)
		pacer_start(&my.connections[i]->pacer, my.rate / COUNTER_WORD_BYTES);
}

/* ---- being asked ---- */

/* Abstract: nothing to remove, and every network namespace has its own. */
static socklen_t control_address(struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	int length = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "unipath-reflector-%s", my.name);
	if (length >= (int)sizeof(address->sun_path) - 1)
		fail("%s: too long a name", my.name);
	return offsetof(struct sockaddr_un, sun_path) + 1 + length;
}

/* The asker is a program of ours that writes at once and reads to the end. Returns whether to end. */
static int answer(void)
{
	int fd = accept4(my.control, NULL, NULL, SOCK_CLOEXEC);
	char command[COMMAND_BYTES] = {0};
	FILE *out;

	if (fd < 0)
		return 0;
	if (read(fd, command, sizeof(command) - 1) <= 0 || !(out = fdopen(fd, "w"))) {
		close(fd);
		return 0;
	}
	if (!strcmp(command, "start"))
		start_running();
	if (!strcmp(command, "stop"))
		my.running = 0;
	if (!strncmp(command, "account ", 8))
		print_accounts(command + 8, out);
	else
		print_report(out);
	fclose(out);
	if (!strcmp(command, "lap"))
		forget_pauses();
	return !strcmp(command, "quit");
}

/* The words of a question are sent as one line. */
static int ask(int count, char **words)
{
	char command[COMMAND_BYTES] = "";
	struct sockaddr_un address;
	socklen_t length = control_address(&address);
	int fd = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	char bytes[4096];
	ssize_t got;

	for (int i = 0; i < count; i++) {
		if (strlen(command) + strlen(words[i]) + 2 > sizeof(command))
			fail("too long a question");
		strcat(strcat(command, i ? " " : ""), words[i]);
	}
	if (connect(fd, (struct sockaddr *)&address, length) < 0)
		fail("none runs under the name %s: %s", my.name, strerror(errno));
	must(write(fd, command, strlen(command)), "write");
	while ((got = read(fd, bytes, sizeof(bytes))) > 0)
		fwrite(bytes, 1, got, stdout);
	must(got, "read");
	return 0;
}

/* ---- main loop ---- */

static int tick_ms(void)
{
	double between = my.mode == MODE_TALK ? 1000 / my.rate : LONGEST_TICK_MS;

	return between < SHORTEST_TICK_MS ? SHORTEST_TICK_MS : between > LONGEST_TICK_MS ? LONGEST_TICK_MS : (int)between;
}

static void serve(void)
{
	int ended = 0;

	while (!ended) {
		struct pollfd polled[2 + CONNECTIONS];
		int count = 2, connections = my.connection_count;
		int sending = my.running && (my.mode == MODE_TALK || (my.mode == MODE_TCP && my.rate > 0));

		polled[0] = (struct pollfd){ .fd = my.control, .events = POLLIN };
		polled[1] = (struct pollfd){ .fd = my.socket, .events = my.answer_waits ? POLLOUT : POLLIN };
		for (int i = 0; i < connections; i++) {
			struct connection *connection = my.connections[i];

			polled[count++] = (struct pollfd){ .fd = connection->fd, .events = POLLIN | (connection->waiting_bytes ? POLLOUT : 0) };
		}
		if (poll(polled, count, sending ? tick_ms() : -1) < 0 && errno != EINTR)
			fail("poll: %s", strerror(errno));
		for (int i = 0; i < connections; i++) {
			struct connection *connection = my.connections[i];

			if (polled[2 + i].revents & (POLLIN | POLLHUP | POLLERR))
				read_stream(connection);
			if (connection->fd >= 0 && sending)
				send_words(connection);
			if (connection->fd >= 0)
				flush(connection);
		}
		if (polled[1].revents) {
			if (my.mode == MODE_TCP)
				accept_connection();
			else
				read_datagrams();
		}
		if (sending && my.mode == MODE_TALK)
			talk();
		if (polled[0].revents)
			ended = answer();
	}
}

static void open_sockets(uint16_t port)
{
	struct sockaddr_un control;
	socklen_t length = control_address(&control);
	struct sockaddr_in6 here = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT };
	int zero = 0, one = 1, buffer = RECEIVE_BUFFER_BYTES;

	my.control = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
	if (bind(my.control, (struct sockaddr *)&control, length) < 0)
		fail("another one runs under the name %s: %s", my.name, strerror(errno));
	must(listen(my.control, 4), "listen");
	my.socket = must(socket(AF_INET6, (my.mode == MODE_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
	/* IPv4 by mapped addresses. */
	setsockopt(my.socket, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(my.socket, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (my.mode != MODE_TCP)
		setsockopt(my.socket, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	if (bind(my.socket, (struct sockaddr *)&here, sizeof(here)) < 0)
		fail("port %u: %s", port, strerror(errno));
	if (my.mode == MODE_TCP)
		must(listen(my.socket, CONNECTIONS), "listen");
}

static void usage(void)
{
	fail("see the head of reflector.c: NAME udp PORT | talk ADDRESS PORT | tcp PORT | report | lap | account FLOW FROM TO | start | stop | quit");
}

static unsigned long number(const char *text, unsigned long highest)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value > highest)
		fail("\"%s\" is not a number from 0 to %lu", text, highest);
	return value;
}

static void parse_address(const char *text, uint16_t port)
{
	char mapped[INET6_ADDRSTRLEN + 8];

	my.to = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	snprintf(mapped, sizeof(mapped), strchr(text, ':') ? "%s" : "::ffff:%s", text);
	if (inet_pton(AF_INET6, mapped, &my.to.sin6_addr) != 1)
		fail("\"%s\" is not an IP address", text);
}

int main(int argc, char **argv)
{
	uint16_t port = 0;
	int next;

	if (argc < 3)
		usage();
	my.name = argv[1];
	if (argc == 3 || !strcmp(argv[2], "account"))
		return ask(argc - 2, argv + 2);
	if (!strcmp(argv[2], "talk")) {
		if (argc < 5)
			usage();
		my.mode = MODE_TALK;
		parse_address(argv[3], number(argv[4], 65535));
		next = 5;
	} else if (!strcmp(argv[2], "udp") || !strcmp(argv[2], "tcp")) {
		my.mode = argv[2][0] == 'u' ? MODE_UDP : MODE_TCP;
		port = number(argv[3], 65535);
		next = 4;
	} else {
		usage();
	}
	my.size = 256;
	for (; next + 1 < argc; next += 2) {
		const char *option = argv[next], *value = argv[next + 1];

		if (!strcmp(option, "--echo-every") && my.mode == MODE_UDP)
			my.echo_every = number(value, UINT_MAX);
		else if (!strcmp(option, "--flow") && my.mode == MODE_TALK)
			my.flow = number(value, UINT_MAX);
		else if (!strcmp(option, "--rate") && my.mode != MODE_UDP)
			my.rate = number(value, UINT_MAX);
		else if (!strcmp(option, "--size") && my.mode == MODE_TALK)
			my.size = number(value, DATAGRAM_MAX_BYTES);
		else if (!strcmp(option, "--from-port") && my.mode == MODE_TALK)
			port = number(value, 65535);
		else
			usage();
	}
	if (next != argc || my.size < DATAGRAM_HEADER_BYTES || (my.mode == MODE_TALK && my.rate <= 0))
		usage();
	signal(SIGPIPE, SIG_IGN);
	open_sockets(port);
	start_running();
	serve();
	return 0;
}
