#!/bin/sh
# train.sh BINARY MODEL [OPTION...]: trains models/MODEL by its recipe into
# build/models/MODEL/1, on the data set that the recipe names ("data"), and
# measures it once on the test split.
set -eu
if [ $# -lt 2 ] || [ ! -f "models/$2/recipe.json" ]; then
    echo "make train MODEL=name, where models/name/recipe.json exists:" \
        $(ls models) >&2
    exit 2
fi
binary=$1
model=$2
shift 2

recipe=models/$model/recipe.json
data=$(sed -n 's/^.*"data" *: *"\([a-z0-9-]*\)".*$/\1/p' "$recipe" | head -n 1)
if [ -z "$data" ]; then
    echo "train.sh: $recipe: no \"data\": \"NAME\" on a line" >&2
    exit 1
fi
sh "$(dirname "$0")/data.sh" "$data"
mkdir -p "build/models/$model"
exec "$binary" train "$recipe" --data "data/$data" \
    --out "build/models/$model/1" --test "$@"
