/* Pages by key, in a binary heap: the smallest key goes. */

static u64 *key;
static u32 *heap, *slot, heap_size;

static void heap_set(u32 at, u32 id) { heap[at] = id; slot[id] = at; }

static void heap_settle(u32 id) {
    u32 at = slot[id];
    while (at && key[id] < key[heap[(at - 1) / 2]]) { heap_set(at, heap[(at - 1) / 2]); at = (at - 1) / 2; }
    for (;;) {
        u32 child = 2 * at + 1;
        if (child + 1 < heap_size && key[heap[child + 1]] < key[heap[child]]) child++;
        if (child >= heap_size || key[id] <= key[heap[child]]) break;
        heap_set(at, heap[child]);
        at = child;
    }
    heap_set(at, id);
}

static void heap_evict(void) {
    u32 id = heap[0], last = heap[--heap_size];
    evicted(id);
    where[id] = 0;
    if (!heap_size) return;
    heap_set(0, last);
    heap_settle(last);
}

/* Give the page its new key; bring it in first if it was out. */
static int heap_serve(u32 id, u64 new_key) {
    int hit = where[id];
    if (!hit) {
        if (full()) heap_evict();
        where[id] = 1;
        heap_set(heap_size, id);
        heap_size++;
    }
    key[id] = new_key;
    heap_settle(id);
    return hit;
}
