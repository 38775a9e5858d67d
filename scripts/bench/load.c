/* Load for an MQTT 3.1.1 broker on loopback: publishers and subscribers in one thread, so that one clock sees both.
 *
 *     load key=value ...      (keys and their meaning: see `options` below)
 *
 * Every publisher has at most `window` messages unacknowledged (QoS 1), and no message is sent while the slowest
 * subscriber is more than `lag` deliveries behind: a closed loop in which nothing has to be dropped. With `rate`
 * messages are sent at their times instead, and the time from then to PUBACK is measured. The payload is
 * `prefix` + number + `suffix` (or `bytes` times 'x'), so that it can be a message of a protocol with a sequence.
 * It prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 18, ID_MAX = 65535, SAMPLES_MAX = 1 << 20 };

static struct {
  const char *port, *publishers, *subscribers, *count, *qos, *window, *lag, *bytes, *rate, *first;
  const char *user, *password, *watcher, *watcher_password, *topic, *filter, *others, *prefix, *suffix, *idle, *hold, *losses_s;
} options = {
    .port = "1883",      /* of the broker */
    .publishers = "1",   /* connections that publish; %d in user, topic and prefix is the number of one */
    .subscribers = "1",  /* connections that subscribe to `filter` */
    .count = "10000",    /* messages of each publisher */
    .qos = "1",          /* of both sides */
    .window = "100",     /* unacknowledged messages of a publisher */
    .lag = "2000",       /* deliveries that the slowest subscriber may be behind */
    .bytes = "400",      /* of payload */
    .rate = "0",         /* messages a second over all publishers, 0: as fast as the window lets */
    .first = "1",        /* first number in payloads */
    .user = "bench_%d",
    .password = "",      /* of the publishers, one after the other, separated by commas */
    .watcher = "watch", .watcher_password = "",
    .topic = "kernel/v1/pattern_share/bench_%d/page_replacement",
    .filter = "kernel/v1/pattern_share/#",
    .others = "0",       /* other filters, on one further connection */
    .prefix = "", .suffix = "",
    .idle = "0",         /* further connections that only subscribe to a filter of their own */
    .losses_s = "0",     /* above 0: a broker that loses messages is given so many seconds of silence, then it ends */
    .hold = "0",         /* seconds to hold all connections before the end */
};

struct connection {
  int fd, publisher, ready, waiting;
  char *out;
  size_t out_length, out_capacity, in_length, sent_messages, acknowledged, received;
  unsigned char *in;
  double *sent_at;
};

static int epoll_fd, qos;
static double *samples;
static size_t samples_count;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *why) {
  fprintf(stderr, "load: %s (%s)\n", why, errno ? strerror(errno) : "no error number");
  exit(1);
}

static char *room(struct connection *c, size_t bytes) {
  if (c->out_length + bytes > c->out_capacity) {
    c->out_capacity = 2 * (c->out_length + bytes);
    if (!(c->out = realloc(c->out, c->out_capacity))) fail("no memory");
  }
  return c->out + c->out_length;
}

static char *put_text(char *at, const char *text, size_t length) {
  *at++ = length >> 8;
  *at++ = length;
  memcpy(at, text, length);
  return at + length;
}

static char *put_length(char *at, size_t length) {
  do {
    *at++ = (length & 127) | (length > 127 ? 128 : 0);
  } while (length >>= 7);
  return at;
}

static void flush(struct connection *c) {
  size_t done = 0;
  while (done < c->out_length) {
    ssize_t sent = send(c->fd, c->out + done, c->out_length - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) fail("the broker closed a connection");
    done += sent;
  }
  memmove(c->out, c->out + done, c->out_length - done);
  c->out_length -= done;
  if (c->waiting != (c->out_length > 0)) {
    c->waiting = c->out_length > 0;
    struct epoll_event event = {EPOLLIN | (c->waiting ? EPOLLOUT : 0), {.ptr = c}};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
  }
}

static void say_connect(struct connection *c, const char *id, const char *user, const char *password) {
  char body[1024], *at = put_text(body, "MQTT", 4);
  *at++ = 4;
  *at++ = (char)(2 | (*user ? 0x80 : 0) | (*password ? 0x40 : 0));
  *at++ = 0;
  *at++ = 0;
  at = put_text(at, id, strlen(id));
  if (*user) at = put_text(at, user, strlen(user));
  if (*password) at = put_text(at, password, strlen(password));
  char *out = room(c, at - body + 5), *start = out;
  *out++ = 0x10;
  out = put_length(out, at - body);
  memcpy(out, body, at - body);
  c->out_length += out + (at - body) - start;
}

static void say_subscribe(struct connection *c, const char *filter, int packet_id) {
  size_t length = strlen(filter);
  char *out = room(c, length + 16), *start = out;
  *out++ = (char)0x82;
  out = put_length(out, length + 5);
  *out++ = packet_id >> 8;
  *out++ = packet_id;
  out = put_text(out, filter, length);
  *out++ = qos;
  c->out_length += out - start;
}

static void say_publish(struct connection *c, const char *topic, const char *prefix, size_t number, size_t bytes,
                        const char *padding) {
  char digits[32];
  size_t topic_length = strlen(topic), head = strlen(prefix), tail = strlen(options.suffix), length = bytes;
  int digits_length = 0;
  if (head) {
    digits_length = sprintf(digits, "%zu", number);
    length = head + digits_length + tail;
  }
  char *out = room(c, length + topic_length + 16), *start = out;
  *out++ = 0x30 | qos << 1;
  out = put_length(out, 2 + topic_length + (qos ? 2 : 0) + length);
  out = put_text(out, topic, topic_length);
  if (qos) {
    int packet_id = c->sent_messages % ID_MAX + 1;
    *out++ = packet_id >> 8;
    *out++ = packet_id;
  }
  if (head) {
    memcpy(out, prefix, head);
    memcpy(out + head, digits, digits_length);
    memcpy(out + head + digits_length, options.suffix, tail);
  } else {
    memcpy(out, padding, length);
  }
  c->out_length += out + length - start;
  c->sent_messages++;
}

static void hear(struct connection *c) {
  ssize_t got = recv(c->fd, c->in + c->in_length, READ_BYTES - c->in_length, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) fail("the broker closed a connection");
  c->in_length += got;
  unsigned char *at = c->in, *end = c->in + c->in_length;
  while (end - at >= 2) {
    size_t length = 0, shift = 0;
    unsigned char *body = at + 1;
    while (body < end && shift < 28) {
      length |= (size_t)(*body & 127) << shift;
      shift += 7;
      if (*body++ < 128) {
        shift = 99;
        break;
      }
    }
    if (shift != 99 || (size_t)(end - body) < length) break;
    switch (*at >> 4) {
      case 2:
        if (body[1]) errno = 0, fail("CONNECT was refused");
        c->ready++;
        break;
      case 9:
        if (body[2] & 0x80) errno = 0, fail("SUBSCRIBE was refused");
        c->ready++;
        break;
      case 4:
        if (c->sent_at && samples_count < SAMPLES_MAX)
          samples[samples_count++] = now() - c->sent_at[((body[0] << 8 | body[1]) + ID_MAX - 1) % ID_MAX];
        c->acknowledged++;
        break;
      case 3:
        c->received++;
        if (*at & 6) {
          size_t topic_length = body[0] << 8 | body[1];
          char *out = room(c, 4);
          out[0] = 0x40, out[1] = 2, out[2] = body[2 + topic_length], out[3] = body[3 + topic_length];
          c->out_length += 4;
        }
        break;
      default:
        break;
    }
    at = body + length;
  }
  memmove(c->in, at, end - at);
  c->in_length = end - at;
  if (c->out_length) flush(c);
}

static int turn(int timeout_ms) {
  struct epoll_event events[256];
  int count = epoll_wait(epoll_fd, events, 256, timeout_ms);
  for (int i = 0; i < count; i++) {
    struct connection *c = events[i].data.ptr;
    if (events[i].events & EPOLLOUT) flush(c);
    if (events[i].events & ~EPOLLOUT) hear(c);
  }
  return count;
}

static void open_connection(struct connection *c, int port, int publisher) {
  *c = (struct connection){.fd = socket(AF_INET, SOCK_STREAM, 0), .publisher = publisher};
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address)) fail("cannot connect");
  int yes = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  if (!(c->in = malloc(READ_BYTES))) fail("no memory");
  struct epoll_event event = {EPOLLIN, {.ptr = c}};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static int smaller(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return difference < 0 ? -1 : difference > 0;
}

static void read_options(int count, char **words) {
  struct {
    const char *name, **value;
  } known[] = {
      {"port", &options.port}, {"publishers", &options.publishers}, {"subscribers", &options.subscribers},
      {"count", &options.count}, {"qos", &options.qos}, {"window", &options.window}, {"lag", &options.lag},
      {"bytes", &options.bytes}, {"rate", &options.rate}, {"first", &options.first}, {"user", &options.user},
      {"password", &options.password}, {"watcher", &options.watcher},
      {"watcher_password", &options.watcher_password}, {"topic", &options.topic}, {"filter", &options.filter},
      {"others", &options.others}, {"prefix", &options.prefix}, {"suffix", &options.suffix},
      {"idle", &options.idle}, {"hold", &options.hold},
      {"losses_s", &options.losses_s},
  };
  for (int i = 1; i < count; i++) {
    char *sign = strchr(words[i], '=');
    size_t k = 0, all = sizeof known / sizeof *known;
    size_t length = sign ? (size_t)(sign - words[i]) : 0;
    while (k < all && (strlen(known[k].name) != length || strncmp(words[i], known[k].name, length))) k++;
    if (!sign || k == all) errno = 0, fail(words[i]);
    *known[k].value = sign + 1;
  }
}

int main(int argc, char **argv) {
  read_options(argc, argv);
  int publishers = atoi(options.publishers), subscribers = atoi(options.subscribers), idle = atoi(options.idle);
  int others = atoi(options.others), port = atoi(options.port), extra = others > 0;
  size_t count = atoll(options.count), window = atoll(options.window), lag = atoll(options.lag);
  size_t bytes = atoll(options.bytes), first = atoll(options.first);
  double rate = atof(options.rate), losses_s = atof(options.losses_s);
  qos = atoi(options.qos);
  int all = publishers + subscribers + extra + idle;
  struct connection *connections = calloc(all, sizeof *connections);
  char **topics = calloc(publishers + 1, sizeof *topics), **prefixes = calloc(publishers + 1, sizeof *prefixes);
  char prefix[4096], *padding = malloc(bytes + 1), name[512], password[256];
  const char *passwords = options.password;
  if (!connections || !topics || !prefixes || !padding) fail("no memory");
  memset(padding, 'x', bytes);
  samples = rate > 0 ? calloc(SAMPLES_MAX, sizeof *samples) : NULL;
  epoll_fd = epoll_create1(0);

  double began = now();
  for (int i = 0; i < all; i++) {
    struct connection *c = connections + i;
    open_connection(c, port, i < publishers);
    int wanted = 1;
    if (c->publisher) {
      snprintf(name, sizeof name, options.user, i);
      size_t length = strcspn(passwords, ",");
      snprintf(password, sizeof password, "%.*s", (int)length, passwords);
      passwords += length + (passwords[length] == ',');
      say_connect(c, name, name, password);
      snprintf(name, sizeof name, options.topic, i);
      topics[i] = strdup(name);
      snprintf(prefix, sizeof prefix, options.prefix, i);
      prefixes[i] = strdup(prefix);
      if (rate > 0) c->sent_at = calloc(ID_MAX, sizeof *c->sent_at);
    } else {
      snprintf(name, sizeof name, "%s_%d", options.watcher, i);
      say_connect(c, name, options.watcher, options.watcher_password);
      if (i < publishers + subscribers) {
        say_subscribe(c, options.filter, 1);
        wanted = 2;
      } else {
        int filters = i == publishers + subscribers && extra ? others : 1;
        for (int k = 0; k < filters; k++) {
          snprintf(name, sizeof name, "kernel/v1/test_result/+/kind_%d_%d", i, k);
          say_subscribe(c, name, k + 1);
        }
        wanted = 1 + filters;
      }
    }
    flush(c);
    if (!idle) while (c->ready < wanted) turn(1000);
  }
  if (idle) {
    for (int i = 0; i < all;) {
      if (connections[i].ready >= (connections[i].publisher ? 1 : 2)) i++;
      else if (!turn(10000)) errno = 0, fail("connections are not answered");
    }
  }
  double connected = now();

  size_t total = count * publishers, sent = 0, slowest = 0, acknowledged = 0;
  double start = now(), last = start;
  while (slowest < total * (subscribers > 0) || acknowledged < total * (qos > 0) || sent < total) {
    sent = acknowledged = 0;
    for (int i = 0; i < publishers; i++) {
      struct connection *c = connections + i;
      size_t due = count;
      if (rate > 0) {
        double share = (now() - start) * rate / publishers + 1;
        due = share < count ? (size_t)share : count;
      }
      size_t before = c->sent_messages;
      while (c->sent_messages < due && (!qos || c->sent_messages - c->acknowledged < window) &&
             (!subscribers || c->sent_messages * publishers < slowest + lag) && c->out_length < READ_BYTES) {
        if (c->sent_at) c->sent_at[c->sent_messages % ID_MAX] = start + c->sent_messages * publishers / rate;
        say_publish(c, topics[i], prefixes[i], first + c->sent_messages, bytes, padding);
      }
      if (c->sent_messages != before) flush(c);
      sent += c->sent_messages;
      acknowledged += c->acknowledged;
    }
    int heard = turn(rate > 0 ? 0 : 1000);
    if (!heard && rate > 0) usleep(50);
    if (heard) last = now();
    if (!heard && losses_s > 0 && now() - last > losses_s) break;
    if (!heard && now() - last > 20) errno = 0, fail("nothing moves any more");
    slowest = SIZE_MAX;
    for (int i = publishers; i < publishers + subscribers; i++)
      if (connections[i].received < slowest) slowest = connections[i].received;
    if (!subscribers) slowest = 0;
    acknowledged = 0;
    for (int i = 0; i < publishers; i++) acknowledged += connections[i].acknowledged;
  }
  double seconds = (losses_s > 0 ? last : now()) - start;
  size_t delivered = 0;
  for (int i = publishers; i < publishers + subscribers; i++) delivered += connections[i].received;
  printf("{\"seconds\": %.6f, \"connect_seconds\": %.6f, \"connections\": %d, \"published\": %zu, \"delivered\": %zu",
         seconds, connected - began, all, sent, delivered);
  if (samples_count) {
    qsort(samples, samples_count, sizeof *samples, smaller);
    printf(", \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f", samples[samples_count / 2] * 1e3,
           samples[samples_count * 99 / 100] * 1e3, samples[samples_count - 1] * 1e3);
  }
  printf("}\n");
  fflush(stdout);
  if (atof(options.hold) > 0) {
    double until = now() + atof(options.hold);
    while (now() < until) turn(100);
  }
  return 0;
}
