#!/bin/sh
# train.sh BINARY MODEL [OPTION...]: trains MODEL by its recipe into
# build/models/MODEL/1, on the data set that the recipe names ("data"), and
# measures it once on the test split. The recipe is models/MODEL/recipe.json, or
# bench/recipes/MODEL.json for a model that others are compared with.
set -eu
recipe=
for file in "models/${2:-}/recipe.json" "bench/recipes/${2:-}.json"; do
    if [ -z "$recipe" ] && [ -f "$file" ]; then
        recipe=$file
    fi
done
if [ $# -lt 2 ] || [ -z "$recipe" ]; then
    echo "make train MODEL=name, where models/name/recipe.json exists:" \
        $(ls models) "- or bench/recipes/name.json:" \
        $(ls bench/recipes 2>/dev/null | sed -n 's/\.json$//p') >&2
    exit 2
fi
binary=$1
model=$2
shift 2

data=$(sed -n 's/^.*"data" *: *"\([a-z0-9-]*\)".*$/\1/p' "$recipe" | head -n 1)
if [ -z "$data" ]; then
    echo "train.sh: $recipe: no \"data\": \"NAME\" on a line" >&2
    exit 1
fi
sh "$(dirname "$0")/data.sh" "$data"
mkdir -p "build/models/$model"
exec "$binary" train "$recipe" --data "data/$data" \
    --out "build/models/$model/1" --test "$@"
