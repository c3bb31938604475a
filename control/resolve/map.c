/* SPDX-License-Identifier: Apache-2.0 */
#include "control/resolve/map.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/api/digest.h"

static uint32_t
home(const struct ps_map *map, uint64_t key)
{
	return (uint32_t)ps_mix64(key ^ PS_DIGEST_K0, PS_DIGEST_K1) & (map->cells - 1);
}

static struct ps_map_cell *
find(const struct ps_map *map, uint64_t key)
{
	uint32_t i;

	for (i = home(map, key); map->cell[i].value != NULL && map->cell[i].key != key; i = (i + 1) & (map->cells - 1))
		;
	return &map->cell[i];
}

void *
ps_map_get(const struct ps_map *map, uint64_t key)
{
	return map->cells != 0 ? find(map, key)->value : NULL;
}

static int
grow(struct ps_map *map)
{
	struct ps_map bigger = {.cells = map->cells != 0 ? map->cells * 2 : 64, .length = map->length};
	uint32_t i;

	bigger.cell = calloc(bigger.cells, sizeof(*bigger.cell));
	if (bigger.cell == NULL)
		return -ENOMEM;
	for (i = 0; i < map->cells; i++)
		if (map->cell[i].value != NULL)
			*find(&bigger, map->cell[i].key) = map->cell[i];
	free(map->cell);
	*map = bigger;
	return 0;
}

int
ps_map_put(struct ps_map *map, uint64_t key, void *value)
{
	struct ps_map_cell *cell;

	if (map->length * 2 >= map->cells && grow(map) != 0)
		return -ENOMEM;
	cell = find(map, key);
	if (cell->value == NULL)
		map->length++;
	*cell = (struct ps_map_cell){key, value};
	return 0;
}

void *
ps_map_remove(struct ps_map *map, uint64_t key)
{
	struct ps_map_cell *cell;
	uint32_t hole, i;
	void *value;

	if (map->cells == 0 || (cell = find(map, key))->value == NULL)
		return NULL;
	value = cell->value;
	hole = (uint32_t)(cell - map->cell);
	for (i = (hole + 1) & (map->cells - 1); map->cell[i].value != NULL; i = (i + 1) & (map->cells - 1)) {
		/* May the follower move back into the hole? Only when its home is not between hole and itself. */
		if (((i - home(map, map->cell[i].key)) & (map->cells - 1)) >= ((i - hole) & (map->cells - 1))) {
			map->cell[hole] = map->cell[i];
			hole = i;
		}
	}
	map->cell[hole].value = NULL;
	map->length--;
	return value;
}

void
ps_map_free(struct ps_map *map)
{
	free(map->cell);
	*map = (struct ps_map){0};
}
