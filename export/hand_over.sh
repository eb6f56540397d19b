# The road that phone.sh and pi.sh share; sourced by them with $target set.

if [ $# -lt 3 ] || [ $# -gt 5 ]; then
    sed -n 's/^# \{0,1\}//; 2,6p' "$0" >&2
    exit 2
fi
run=$1 crops=$2 out=$3 recipe=${4:-int8} name=${5:-face}
python=${PYTHON:-python3}

"$python" -m edge_facenet_export.handover free "$out/$name-$recipe.json"
"$python" -m edge_facenet.cli export "$run" "$crops" "$out" --recipe "$recipe" --format tflite --name "$name"
"$python" -m edge_facenet.cli muladds "$out/$name-$recipe.json" | tail -n 3
"$python" -m edge_facenet_export.handover "$target" "$out/$name-$recipe.json"
echo "The folder for the $target is ready: $out"
